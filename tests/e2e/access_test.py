"""Tests who may call what: tokens, client certificates, unix sockets, and the policy."""

import unittest

import grpc
from google.protobuf import descriptor_pb2

import api
import certificates
import quantd_process
import security_test_case
from security_test_case import bearer, fake_quantize, info, refusal, token_line

TRAINER_TOKEN = "a-secret-of-the-trainer"
DASHBOARD_TOKEN = "a-secret-of-the-dashboard"
WRONG_TOKEN = "a-secret-of-nobody"
SECRETS = (TRAINER_TOKEN, DASHBOARD_TOKEN, WRONG_TOKEN)
BOTH_SOCKETS = ("localhost:0", "unix:{directory}/s")
SERVING = api.health_pb2.HealthCheckResponse.SERVING

POLICY = """
[[allow]]
callers = ["certificate:trainer", "certificate:*.example", "token:trainer"]
methods = ["*"]

[[allow]]
callers = ["token:dashboard", "anonymous"]
methods = ["GetServerInfo"]

[[allow]]
callers = ["unix"]
methods = ["*Quantize"]
"""


def reflected_services(channel, token=None):
    """Returns the names of services that reflection tells."""
    stub = api.reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = iter([api.reflection_pb2.ServerReflectionRequest(list_services="")])
    answers = list(stub.ServerReflectionInfo(requests, timeout=quantd_process.DEADLINE_SECONDS,
                                             metadata=bearer(token)))
    return [service.name for answer in answers for service in answer.list_services_response.service]


def reflected_file(channel, token=None):
    """Returns what reflection tells about the service, or the error that ends the call. Fails if it tells
    anything before the error."""
    stub = api.reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = iter([api.reflection_pb2.ServerReflectionRequest(file_containing_symbol=api.SERVICE)])
    answers = []
    try:
        for answer in stub.ServerReflectionInfo(requests, timeout=quantd_process.DEADLINE_SECONDS,
                                                metadata=bearer(token)):
            answers.append(answer)
    except grpc.RpcError as error:
        if answers:
            raise AssertionError(f"the schema leaked: {answers}") from error
        return api.call_error(error)
    return [descriptor_pb2.FileDescriptorProto.FromString(file).name for answer in answers
            for file in answer.file_descriptor_response.file_descriptor_proto]


def stream(channel, token=None):
    """Calls a method that streams, and returns its answers."""
    return list(api.QuantizationServiceStub(channel).StreamFakeQuantize(
        iter([api.FakeQuantizeRequest()]), timeout=quantd_process.DEADLINE_SECONDS,
        metadata=bearer(token)))


class AccessTestCase(security_test_case.SecurityTestCase):

    def setUp(self):
        super().setUp()
        self.tokens = self.write("tokens", token_line("trainer", TRAINER_TOKEN)
                                 + token_line("dashboard", DASHBOARD_TOKEN))
        self.policy = self.write("policy.toml", POLICY)

    def serve(self, *flags):
        """Starts a server, on a network socket and a unix socket, that ends with the test."""
        return self.enterContext(quantd_process.Quantd(*flags, listen=BOTH_SOCKETS))

    def assert_unknown(self, error, reason):
        self.assertEqual((error.code, error.reason), (grpc.StatusCode.UNAUTHENTICATED, reason), error)

    def assert_denied(self, error, caller, method):
        self.assertEqual((error.code, error.reason),
                         (grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED"), error)
        self.assertEqual(error.metadata, {"caller": caller, "method": method})
        self.assertIn(f"{caller} may not call {method}", error.message)

    def assert_permitted(self, call, *arguments):
        """Checks that a call reaches its method, which finds its empty request wrong."""
        error = refusal(call, *arguments)
        self.assertEqual(error.code, grpc.StatusCode.INVALID_ARGUMENT, error)

    def assert_healthy(self, channel):
        health = api.health_pb2_grpc.HealthStub(channel)
        request = api.health_pb2.HealthCheckRequest(service=api.SERVICE)
        deadline = quantd_process.DEADLINE_SECONDS
        self.assertEqual(health.Check(request, timeout=deadline).status, SERVING)
        watch = health.Watch(request, timeout=deadline)
        self.assertEqual(next(watch).status, SERVING)
        watch.cancel()


class TokenTest(AccessTestCase):

    def setUp(self):
        super().setUp()
        self.quantd = self.serve(*self.tls_flags(), f"--token-file={self.tokens}")
        self.channel = self.connect(self.quantd)

    def test_who_shows_a_token_may_call_everything(self):
        for token in (TRAINER_TOKEN, DASHBOARD_TOKEN):
            self.assertTrue(info(self.channel, token).version)
            self.assert_permitted(fake_quantize, self.channel, token)
            self.assert_permitted(stream, self.channel, token)
            self.assertIn(api.SERVICE, reflected_services(self.channel, token))

    def test_a_client_certificate_is_enough_without_a_policy(self):
        quantd = self.serve(*self.mutual_tls_flags(), f"--token-file={self.tokens}")
        channel = self.connect(quantd, self.trainer)
        self.assertTrue(info(channel).version)
        self.assertTrue(info(channel, TRAINER_TOKEN).version)
        self.assert_unknown(refusal(info, channel, WRONG_TOKEN), "INVALID_TOKEN")

    def test_who_shows_no_token_may_call_nothing(self):
        for call in (info, fake_quantize, stream, reflected_services):
            with self.subTest(call.__name__):
                error = refusal(call, self.channel)
                self.assertEqual(error.code, grpc.StatusCode.UNAUTHENTICATED)
                self.assertIn("--token-file", error.message)
        self.assert_unknown(refusal(info, self.channel), "CREDENTIALS_MISSING")

    def test_a_wrong_token_is_refused_and_is_no_less_than_none(self):
        for call in (info, fake_quantize, stream):
            with self.subTest(call.__name__):
                self.assert_unknown(refusal(call, self.channel, WRONG_TOKEN), "INVALID_TOKEN")
        self.assertEqual(refusal(reflected_services, self.channel, WRONG_TOKEN).code,
                         grpc.StatusCode.UNAUTHENTICATED)
        # Also where none is needed: a client that shows one expects it to be right.
        unix = self.quantd.connect(self.quantd.addresses[1])
        self.assert_unknown(refusal(info, unix, WRONG_TOKEN), "INVALID_TOKEN")
        self.assertTrue(info(unix).version)

    def test_other_schemes_than_bearer_are_refused(self):
        stub = api.QuantizationServiceStub(self.channel)
        for value in (f"Basic {TRAINER_TOKEN}", TRAINER_TOKEN, "Bearer ", ""):
            with self.subTest(value):
                error = refusal(lambda: stub.GetServerInfo(
                    api.GetServerInfoRequest(), timeout=quantd_process.DEADLINE_SECONDS,
                    metadata=(("authorization", value),)))
                self.assert_unknown(error, "INVALID_TOKEN")
        self.assertTrue(stub.GetServerInfo(
            api.GetServerInfoRequest(), metadata=(("authorization", f"bearer {TRAINER_TOKEN}"),)).version)

    def test_tokens_are_replaced_while_the_server_runs(self):
        self.write("tokens", token_line("trainer", "a new secret"))
        self.quantd.wait_for_log('event="files reloaded" subject=tokens')
        # The connection is the same.
        self.assert_unknown(refusal(info, self.channel, TRAINER_TOKEN), "INVALID_TOKEN")
        self.assertTrue(info(self.channel, "a new secret").version)

    def test_health_needs_no_credentials(self):
        self.assert_healthy(self.channel)

    def test_refusals_are_counted_by_reason(self):
        refusal(info, self.channel)
        refusal(info, self.channel, WRONG_TOKEN)
        refusal(reflected_services, self.channel, WRONG_TOKEN)
        metrics = self.quantd.metrics()
        for reason, number in (("CREDENTIALS_MISSING", 1), ("INVALID_TOKEN", 2), ("NOT_PERMITTED", 0)):
            self.assertEqual(metrics.value("quantd_rejected_requests_total", reason=reason), number)

    def test_tokens_work_in_plain_text_as_well(self):
        quantd = self.serve(f"--token-file={self.tokens}")
        channel = quantd.connect()
        self.assertTrue(info(channel, TRAINER_TOKEN).version)
        self.assert_unknown(refusal(info, channel), "CREDENTIALS_MISSING")


class PolicyTest(AccessTestCase):

    def test_certificates_have_the_permissions_of_their_names(self):
        quantd = self.serve(*self.mutual_tls_flags(), f"--policy-file={self.policy}")
        worker = certificates.Certificate(
            self.directory, "worker", self.authority, ("DNS:worker.example",))
        for client in (self.trainer, worker):
            channel = self.connect(quantd, client)
            self.assertTrue(info(channel).version)
            self.assert_permitted(fake_quantize, channel)
            self.assert_permitted(stream, channel)
        visitor = certificates.Certificate(self.directory, "visitor", self.authority,
                                           ("DNS:visitor.test",))
        channel = self.connect(quantd, visitor)
        # It is not anonymous, which might do this.
        self.assert_denied(refusal(info, channel), "certificate:visitor.test,certificate:visitor",
                           "GetServerInfo")

    def test_tokens_have_the_permissions_of_their_names(self):
        quantd = self.serve(*self.tls_flags(), f"--token-file={self.tokens}",
                            f"--policy-file={self.policy}")
        channel = self.connect(quantd)
        self.assert_permitted(fake_quantize, channel, TRAINER_TOKEN)
        self.assertTrue(info(channel, DASHBOARD_TOKEN).version)
        self.assert_denied(refusal(fake_quantize, channel, DASHBOARD_TOKEN), "token:dashboard",
                           "FakeQuantize")
        self.assert_denied(refusal(stream, channel, DASHBOARD_TOKEN), "token:dashboard",
                           "StreamFakeQuantize")

    def test_a_token_adds_to_what_a_certificate_may_do(self):
        quantd = self.serve(*self.mutual_tls_flags(), f"--token-file={self.tokens}",
                            f"--policy-file={self.policy}")
        visitor = certificates.Certificate(self.directory, "visitor", self.authority)
        channel = self.connect(quantd, visitor)
        self.assertEqual(refusal(info, channel).code, grpc.StatusCode.PERMISSION_DENIED)
        self.assertTrue(info(channel, DASHBOARD_TOKEN).version)

    def test_unix_sockets_and_the_unknown_have_permissions_of_their_own(self):
        quantd = self.serve(*self.tls_flags(), f"--policy-file={self.policy}")
        unix = quantd.connect(quantd.addresses[1])
        self.assert_permitted(fake_quantize, unix)
        self.assert_permitted(stream, unix)
        self.assert_denied(refusal(info, unix), "unix", "GetServerInfo")
        anonymous = self.connect(quantd)
        self.assertTrue(info(anonymous).version)
        self.assert_unknown(refusal(fake_quantize, anonymous), "CREDENTIALS_MISSING")

    def test_a_policy_is_replaced_while_the_server_runs(self):
        quantd = self.serve(f"--policy-file={self.policy}")
        channel = quantd.connect()
        self.assertTrue(info(channel).version)
        self.write("policy.toml", POLICY.replace(', "anonymous"', ""))
        quantd.wait_for_log('event="files reloaded" subject=policy')
        self.assert_unknown(refusal(info, channel), "CREDENTIALS_MISSING")

    def test_the_schema_is_told_only_to_those_who_may_use_reflection(self):
        quantd = self.serve(*self.tls_flags(), f"--token-file={self.tokens}",
                            f"--policy-file={self.policy}")
        channel = self.connect(quantd)
        self.assertIn("quantd/v1/quantization_service.proto", reflected_file(channel, TRAINER_TOKEN))
        denied = reflected_file(channel, DASHBOARD_TOKEN)
        self.assertEqual(denied.code, grpc.StatusCode.PERMISSION_DENIED)
        self.assertIn("token:dashboard may not call reflection", denied.message)
        self.assertEqual(reflected_file(channel).code, grpc.StatusCode.UNAUTHENTICATED)

    def test_health_is_open_to_all(self):
        quantd = self.serve(*self.tls_flags(), f"--policy-file={self.policy}")
        self.assert_healthy(self.connect(quantd))
        self.assert_healthy(quantd.connect(quantd.addresses[1]))

    def test_denials_are_logged_with_the_caller_and_without_secrets(self):
        quantd = self.serve(*self.tls_flags(), f"--token-file={self.tokens}",
                            f"--policy-file={self.policy}", "--log-level=debug")
        channel = self.connect(quantd)
        info(channel, DASHBOARD_TOKEN)
        refusal(fake_quantize, channel, DASHBOARD_TOKEN)
        refusal(fake_quantize, channel, WRONG_TOKEN)
        refusal(fake_quantize, channel)
        reflected_file(channel, DASHBOARD_TOKEN)
        for reason, method, caller in (("NOT_PERMITTED", "FakeQuantize", "token:dashboard"),
                                       ("INVALID_TOKEN", "FakeQuantize", "anonymous"),
                                       ("CREDENTIALS_MISSING", "FakeQuantize", "anonymous"),
                                       ("NOT_PERMITTED", "ServerReflectionInfo", "token:dashboard")):
            with self.subTest(reason=reason, method=method):
                self.assertTrue([line for line in quantd.wait_for_log(f"reason={reason}")
                                 if f"{method} " in line and f"caller={caller} " in line], quantd.log)
        # Calls that succeed name their callers as well.
        self.assertTrue([line for line in quantd.wait_for_log("method=GetServerInfo")
                         if "caller=token:dashboard " in line], quantd.log)
        for secret in SECRETS:
            self.assertNotIn(secret, quantd.log)


if __name__ == "__main__":
    unittest.main()
