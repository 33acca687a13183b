"""Tests server reflection, which tools such as grpcurl use to query the schema."""

import unittest

from google.protobuf import descriptor_pb2
import grpc

import api
import quantd_process


def ask(quantd, **request):
    """Returns the answer to one reflection request."""
    stub = api.reflection_pb2_grpc.ServerReflectionStub(quantd.connect())
    requests = iter([api.reflection_pb2.ServerReflectionRequest(**request)])
    return next(stub.ServerReflectionInfo(requests, timeout=quantd_process.DEADLINE_SECONDS))


class ReflectionTest(unittest.TestCase):

    def test_it_lists_and_describes_the_service(self):
        with quantd_process.Quantd() as quantd:
            services = ask(quantd, list_services="").list_services_response.service
            self.assertIn(api.SERVICE, [service.name for service in services])

            described = ask(quantd, file_containing_symbol=api.SERVICE).file_descriptor_response
            files = map(descriptor_pb2.FileDescriptorProto.FromString,
                        described.file_descriptor_proto)
            methods = {method.name for file in files for service in file.service
                       for method in service.method}
            self.assertLessEqual({"FakeQuantize", "FakeQuantizeGradient", "GetServerInfo"}, methods)

    def test_it_can_be_disabled(self):
        with quantd_process.Quantd("--no-reflection") as quantd:
            with self.assertRaises(grpc.RpcError) as raised:
                ask(quantd, list_services="")
            self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED)


if __name__ == "__main__":
    unittest.main()
