"""
The side-by-side benchmark: what a call costs stock, and what it costs accelerated.

    boto-accel bench --quick
    boto-accel bench --only 'boto3/http/*/1KiB/t1' --json report.json --plot ratios.svg
    boto-accel bench --endpoint https://s3.eu-west-1.amazonaws.com --region eu-west-1 --bucket mine

From a program: `run(Settings(cases=...), listener)` in `runner`, and `make_report` in `report`.
The files, from the wire up: `awschunked`, `objects`, `service`, `server` and `certificate` are the
in-memory S3; `target` starts it; `cases` names what there is; `subjects` make the calls; `measure`
times them; `runner` goes through a run; `report`, `table` and `chart` show what came out.
"""
