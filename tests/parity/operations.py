"""The S3 operations that go fast, and their models."""

from __future__ import annotations

import functools

import botocore.session
from botocore.model import OperationModel, ServiceModel

FAST = (
    "GetObject",
    "PutObject",
    "HeadObject",
    "DeleteObject",
    "DeleteObjects",
    "CopyObject",
    "ListObjectsV2",
    "ListObjects",
    "ListObjectVersions",
    "ListBuckets",
    "HeadBucket",
    "CreateBucket",
    "DeleteBucket",
    "CreateMultipartUpload",
    "UploadPart",
    "UploadPartCopy",
    "CompleteMultipartUpload",
    "AbortMultipartUpload",
    "ListParts",
    "ListMultipartUploads",
    "GetObjectTagging",
    "PutObjectTagging",
    "DeleteObjectTagging",
)


@functools.lru_cache(maxsize=8)
def service_model(service: str = "s3") -> ServiceModel:
    return botocore.session.get_session().get_service_model(service)


@functools.lru_cache(maxsize=256)
def operation_model(name: str, service: str = "s3") -> OperationModel:
    return service_model(service).operation_model(name)
