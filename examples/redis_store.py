"""`redis_s3()`: the S3 API on a Valkey, here one that is embedded in this process."""

from __future__ import annotations

import boto3

from boto_accel import redis_s3


def main() -> None:
    with redis_s3(default_ttl=3600):
        # redis://host:6379/0 for a server of yours; no credentials of AWS are needed.
        tmp = boto3.client("s3", endpoint_url="redis+embedded://local", region_name="us-east-1")
        tmp.create_bucket(Bucket="tmp")
        tmp.put_object(
            Bucket="tmp", Key="a/hello.txt", Body=b"Hello, Valkey", Metadata={"from": "here"}
        )
        reply = tmp.get_object(Bucket="tmp", Key="a/hello.txt", Range="bytes=7-")
        print(reply["Body"].read(), reply["ContentRange"], reply["Metadata"])

        listed = tmp.list_objects_v2(Bucket="tmp", Delimiter="/")
        print("folders:", [each["Prefix"] for each in listed["CommonPrefixes"]])
        try:
            tmp.put_object(Bucket="tmp", Key="a/hello.txt", Body=b"again", IfNoneMatch="*")
        except tmp.exceptions.ClientError as error:
            print("written once only:", error.response["Error"]["Code"])
        tmp.close()


if __name__ == "__main__":
    main()
