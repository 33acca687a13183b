"""Tests the standard health service."""

import unittest

import grpc

import api
import quantd_process

SERVING = api.health_pb2.HealthCheckResponse.SERVING


class HealthTest(quantd_process.QuantdTestCase):

    def setUp(self):
        self.health = api.health_pb2_grpc.HealthStub(self.quantd.connect())

    def test_the_server_and_its_service_are_serving(self):
        for service in ("", api.SERVICE):
            with self.subTest(service):
                request = api.health_pb2.HealthCheckRequest(service=service)
                self.assertEqual(self.health.Check(request).status, SERVING)

    def test_an_unknown_service_is_not_found(self):
        with self.assertRaises(grpc.RpcError) as raised:
            self.health.Check(api.health_pb2.HealthCheckRequest(service="no.such.Service"))
        self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_a_watch_starts_with_the_current_state(self):
        request = api.health_pb2.HealthCheckRequest(service=api.SERVICE)
        watch = self.health.Watch(request, timeout=quantd_process.DEADLINE_SECONDS)
        self.assertEqual(next(watch).status, SERVING)
        watch.cancel()


if __name__ == "__main__":
    unittest.main()
