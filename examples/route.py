"""`route_s3()`: a bucket that has moved to another store, and code that does not know."""

from __future__ import annotations

import boto3

from boto_accel import route_s3
from boto_accel.bench.target import own_server


def main() -> None:
    with own_server("http") as old, own_server("http") as new:
        s3 = boto3.client("s3", **old.client_arguments())
        s3.create_bucket(Bucket="reports")
        s3.create_bucket(Bucket="logs")
        there = boto3.client("s3", **new.client_arguments())
        there.create_bucket(Bucket="lake")

        mapping = [
            {"bucket_name": "reports", "mapped_bucket_name": "lake", "client": "lakefs",
             "key_prefix": "main/"},
            {"bucket_name": "*", "client": "s3"},
        ]  # fmt: skip
        with route_s3({"lakefs": new.client_arguments()}, mapping):
            s3.put_object(Bucket="reports", Key="2026/june.csv", Body=b"1,2")
            s3.put_object(Bucket="logs", Key="today", Body=b"started")
            listed = s3.list_objects_v2(Bucket="reports", Prefix="2026/")
            print("under the patch:", listed["Name"], [each["Key"] for each in listed["Contents"]])
            try:
                s3.get_object(Bucket="reports", Key="no")
            except s3.exceptions.NoSuchKey as error:
                print("an error, as ever:", error.response["Error"]["Code"])

        for name, client, bucket in (
            ("old store", s3, "reports"),
            ("old store", s3, "logs"),
            ("new store", there, "lake"),
        ):
            found = client.list_objects_v2(Bucket=bucket).get("Contents", [])
            print(f"{name}, {bucket}:", [each["Key"] for each in found])
        s3.close()
        there.close()


if __name__ == "__main__":
    main()
