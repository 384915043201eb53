"""`Table`: rows whose columns are in the key and whose data is the object."""

from __future__ import annotations

from datetime import date

import boto3

from boto_accel import Database, Table, accelerate
from boto_accel.bench.seaweedfs import SeaweedFS
from boto_accel.datastore import RowExistsError


def main() -> None:
    with SeaweedFS() as server, accelerate() as fast:  # it knows conditional writes
        s3 = boto3.client(
            "s3",
            endpoint_url=server.endpoint_url,
            region_name=server.region,
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
        )
        database = Database("my-bucket", client=s3)
        database.create()
        table = Table("orders", database, columns={"shop": str, "day": date, "number": int})

        day = date(2026, 1, 31)
        table.insert_many(
            [
                {"shop": shop, "day": day, "number": number, "data": f"{shop} {number}".encode()}
                for shop in ("Rome", "Oslo")
                for number in range(10)
            ]
        )
        print("shops:", table.shops())
        print("orders of Oslo:", table.count(shop="Oslo"))
        print("one of them:", table.select(shop="Oslo", day=day, number=7))
        print("all with number 7:", [row["shop"] for row in table.query(number=7)])
        try:
            table.insert(b"twice", shop="Oslo", day=day, number=7, if_absent=True)
        except RowExistsError:
            print("there is one already, and it is not overwritten")
        print(f"{fast.stats.fallback} calls fell back")
        s3.close()


if __name__ == "__main__":
    main()
