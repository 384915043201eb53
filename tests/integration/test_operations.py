"""Every S3 operation of the fast path, on servers that check what they are sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fastpath.callers import Caller, all_fast, open_caller


def test_an_object_lives_and_dies(flavour: str, server: Any, bucket: str) -> None:
    """CreateBucket, HeadBucket, ListBuckets, Put, Head, Get, Delete, DeleteBucket: all fast."""
    with open_caller(flavour, **server.client_options) as s3, all_fast(10):
        s3("create_bucket", Bucket=bucket)
        s3("head_bucket", Bucket=bucket)
        assert bucket in [each["Name"] for each in s3("list_buckets")["Buckets"]]
        put = s3(
            "put_object",
            Bucket=bucket,
            Key="a/ä b+c%.txt",
            Body=b"hello",
            ContentType="text/x-test",
            Metadata={"colour": "blue"},
        )
        head = s3("head_object", Bucket=bucket, Key="a/ä b+c%.txt")
        assert (head["ContentLength"], head["ETag"]) == (5, put["ETag"])
        assert (head["ContentType"], head["Metadata"]) == ("text/x-test", {"colour": "blue"})
        assert s3.body(Bucket=bucket, Key="a/ä b+c%.txt") == b"hello"
        listed = s3("list_objects_v2", Bucket=bucket)["Contents"]
        assert [(each["Key"], each["Size"]) for each in listed] == [("a/ä b+c%.txt", 5)]
        s3("delete_object", Bucket=bucket, Key="a/ä b+c%.txt")
        assert s3("list_objects_v2", Bucket=bucket)["KeyCount"] == 0
        s3("delete_bucket", Bucket=bucket)


def test_what_is_written_fast_is_read_by_stock_and_the_other_way_round(
    flavour: str, server: Any, bucket: str
) -> None:
    """Answers of Get, Head and List are equal to stock's, members and types, on the same data."""
    calls = (
        ("get_object", {"Key": "k"}),
        ("head_object", {"Key": "k"}),
        ("list_objects_v2", {}),
        ("list_objects", {}),
        ("list_object_versions", {}),
        ("get_object_tagging", {"Key": "k"}),
    )
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        with all_fast(1):
            s3("put_object", Bucket=bucket, Key="k", Body=b"data", Tagging="a=b&c=d e")
        stock = [_comparable(s3, name, {"Bucket": bucket, **more}) for name, more in calls]
        with all_fast(len(calls)):
            fast = [_comparable(s3, name, {"Bucket": bucket, **more}) for name, more in calls]
    assert fast == stock
    assert fast[0]["Body"] == b"data"


def _comparable(s3: Caller, method: str, params: dict[str, Any]) -> dict[str, Any]:
    answer = s3(method, **params)
    if "Body" in answer:
        answer["Body"] = s3.drain(answer["Body"])
    metadata = answer["ResponseMetadata"]
    answer["ResponseMetadata"] = (sorted(metadata), metadata["HTTPStatusCode"])
    return answer


@pytest.mark.parametrize("method", ["list_objects_v2", "list_objects", "list_object_versions"])
def test_listings_of_many_pages(flavour: str, server: Any, bucket: str, method: str) -> None:
    """Paginators go fast, through prefixes, delimiters and keys that need escaping."""
    keys = sorted(f"{folder}/k&<{n:02d}> é" for folder in "abc" for n in range(5))
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        for key in keys:
            s3("put_object", Bucket=bucket, Key=key, Body=b"x")
        paging = {"PageSize": 4}
        stock = s3.pages(method, Bucket=bucket, PaginationConfig=paging)
        with all_fast():
            fast = s3.pages(method, Bucket=bucket, PaginationConfig=paging)
            folders = s3(method, Bucket=bucket, Delimiter="/")
        assert len(fast) == len(stock) == 4
        member = "Versions" if "versions" in method else "Contents"
        assert [each["Key"] for page in fast for each in page[member]] == keys
        assert [page[member] for page in fast] == [page[member] for page in stock]
        prefixes = [each["Prefix"] for each in folders["CommonPrefixes"]]
        assert prefixes == ["a/", "b/", "c/"]


def test_delete_objects(flavour: str, server: Any, bucket: str) -> None:
    """DeleteObjects goes fast, with keys that XML escapes, quiet or not."""
    keys = ["a&b", "c<d>", "e é", "f"]
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        with all_fast(4 + 2 + 1):
            for key in keys:
                s3("put_object", Bucket=bucket, Key=key, Body=b"")
            deleted = s3(
                "delete_objects",
                Bucket=bucket,
                Delete={"Objects": [{"Key": key} for key in keys[:3]]},
            )["Deleted"]
            s3(
                "delete_objects",
                Bucket=bucket,
                Delete={"Objects": [{"Key": "f"}], "Quiet": True},
            )
            assert sorted(each["Key"] for each in deleted) == keys[:3]
            assert "Contents" not in s3("list_objects_v2", Bucket=bucket)


@pytest.mark.parametrize("as_text", [False, True])
def test_copy_object(flavour: str, server: Any, bucket: str, as_text: bool) -> None:
    """CopyObject goes fast, its source given as a dict or as text."""
    source: Any = f"{bucket}/from é.txt" if as_text else {"Bucket": bucket, "Key": "from é.txt"}
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        with all_fast(3):
            s3("put_object", Bucket=bucket, Key="from é.txt", Body=b"copied")
            result = s3("copy_object", Bucket=bucket, Key="to", CopySource=source)
            assert result["CopyObjectResult"]["ETag"]
            assert s3.body(Bucket=bucket, Key="to") == b"copied"
        assert s3.body(Bucket=bucket, Key="to") == b"copied"


def test_tagging(flavour: str, server: Any, bucket: str) -> None:
    """PutObjectTagging, GetObjectTagging, DeleteObjectTagging go fast."""
    tags = [{"Key": "team", "Value": "red + blue"}, {"Key": "tier", "Value": "1"}]
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        s3("put_object", Bucket=bucket, Key="k", Body=b"x")
        with all_fast(4):
            s3("put_object_tagging", Bucket=bucket, Key="k", Tagging={"TagSet": tags})
            found = s3("get_object_tagging", Bucket=bucket, Key="k")["TagSet"]
            assert sorted(found, key=lambda tag: tag["Key"]) == tags
            s3("delete_object_tagging", Bucket=bucket, Key="k")
            assert s3("get_object_tagging", Bucket=bucket, Key="k")["TagSet"] == []


def test_multipart(flavour: str, server: Any, bucket: str) -> None:
    """The multipart family goes fast; the object is whole, and its parts can be read."""
    first, second = b"a" * (5 * 1024 * 1024), b"tail"
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        with all_fast():
            upload = s3("create_multipart_upload", Bucket=bucket, Key="big")["UploadId"]
            place = {"Bucket": bucket, "Key": "big", "UploadId": upload}
            tags = [
                s3("upload_part", **place, PartNumber=number, Body=data)["ETag"]
                for number, data in enumerate((first, second), 1)
            ]
            listed = s3("list_parts", **place)["Parts"]
            assert [(part["PartNumber"], part["Size"]) for part in listed] == [
                (1, len(first)),
                (2, len(second)),
            ]
            uploads = s3("list_multipart_uploads", Bucket=bucket)["Uploads"]
            assert [each["UploadId"] for each in uploads] == [upload]
            parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
            s3("complete_multipart_upload", **place, MultipartUpload={"Parts": parts})
            by_part = s3.body(Bucket=bucket, Key="big", PartNumber=2)
        assert by_part == s3.body(Bucket=bucket, Key="big", PartNumber=2)  # moto: all of it
        assert s3.body(Bucket=bucket, Key="big") == first + second


def test_part_copies_and_aborting(flavour: str, server: Any, bucket: str) -> None:
    """UploadPartCopy, with a range, and AbortMultipartUpload go fast."""
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        s3("put_object", Bucket=bucket, Key="source", Body=b"0123456789")
        with all_fast():
            upload = s3("create_multipart_upload", Bucket=bucket, Key="k")["UploadId"]
            place = {"Bucket": bucket, "Key": "k", "UploadId": upload}
            copied = s3(
                "upload_part_copy",
                **place,
                PartNumber=1,
                CopySource={"Bucket": bucket, "Key": "source"},
                CopySourceRange="bytes=2-4",
            )["CopyPartResult"]
            parts = [{"PartNumber": 1, "ETag": copied["ETag"]}]
            s3("complete_multipart_upload", **place, MultipartUpload={"Parts": parts})
            assert s3.body(Bucket=bucket, Key="k") == b"234"
            upload = s3("create_multipart_upload", Bucket=bucket, Key="gone")["UploadId"]
            s3("abort_multipart_upload", Bucket=bucket, Key="gone", UploadId=upload)
            assert not s3("list_multipart_uploads", Bucket=bucket).get("Uploads")


def test_versions(flavour: str, server: Any, bucket: str) -> None:
    """Objects are got, headed and deleted by version, fast."""
    with open_caller(flavour, **server.client_options) as s3:
        s3("create_bucket", Bucket=bucket)
        s3(
            "put_bucket_versioning",
            Bucket=bucket,
            VersioningConfiguration={"Status": "Enabled"},
        )
        with all_fast():
            versions = [
                s3("put_object", Bucket=bucket, Key="k", Body=data)["VersionId"]
                for data in (b"one", b"two!!")
            ]
            assert len(set(versions)) == 2
            for version, data in zip(versions, (b"one", b"two!!"), strict=True):
                place = {"Bucket": bucket, "Key": "k", "VersionId": version}
                assert s3.body(**place) == data
                assert s3("head_object", **place)["ContentLength"] == len(data)
            s3("delete_object", Bucket=bucket, Key="k", VersionId=versions[1])
            assert s3.body(Bucket=bucket, Key="k") == b"one"
            assert s3("delete_object", Bucket=bucket, Key="k")["DeleteMarker"] is True
            listed = s3("list_object_versions", Bucket=bucket)
            assert [each["VersionId"] for each in listed["Versions"]] == versions[:1]
            assert len(listed["DeleteMarkers"]) == 1


def test_waiters(flavour: str, server: Any, bucket: str) -> None:
    """Waiters go fast, also through the 404 that they wait out."""
    with open_caller(flavour, **server.client_options) as s3, all_fast():
        s3.wait("bucket_not_exists", Bucket=bucket)
        s3("create_bucket", Bucket=bucket)
        s3.wait("bucket_exists", Bucket=bucket)
        s3.wait("object_not_exists", Bucket=bucket, Key="k")
        s3("put_object", Bucket=bucket, Key="k", Body=b"x")
        s3.wait("object_exists", Bucket=bucket, Key="k")
