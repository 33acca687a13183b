#include "wire/methods.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "quantd/v1/quantization_service.pb.h"

namespace quantd::wire {
namespace {

const google::protobuf::ServiceDescriptor& Service() {
  return *v1::FakeQuantizeRequest::descriptor()->file()->service(0);
}

TEST(Methods, AreThoseOfTheSchema) {
  EXPECT_EQ(std::string(kServiceName), Service().full_name());
  ASSERT_EQ(kMethods.size(), static_cast<std::size_t>(Service().method_count()));
  for (const Method& method : kMethods) {
    const auto* const described = Service().FindMethodByName(std::string(method.name));
    ASSERT_NE(described, nullptr) << method.name;
    const bool is_stream = method.transfer == Transfer::kStream;
    EXPECT_EQ(described->client_streaming(), is_stream) << method.name;
    EXPECT_EQ(described->server_streaming(), is_stream) << method.name;
    // As gRPC reads it: up to a null character.
    EXPECT_STREQ(method.path.data(),
                 ("/quantd.v1.QuantizationService/" + std::string(method.name)).c_str());
  }
}

TEST(Methods, HaveTheMessagesOfTheirOperation) {
  ForEachOperation([]<typename Operation>() {
    for (const Transfer transfer : {Transfer::kUnary, Transfer::kStream}) {
      const Method& method = kMethods[MethodIndex(kOperationIndex<Operation>, transfer)];
      EXPECT_EQ(method.transfer, transfer);
      EXPECT_EQ(method.operation, kOperationIndex<Operation>);
      const auto* const described = Service().FindMethodByName(std::string(method.name));
      ASSERT_NE(described, nullptr) << method.name;
      EXPECT_EQ(described->input_type(), Operation::Request::descriptor()) << method.name;
      EXPECT_EQ(described->output_type(), Operation::Response::descriptor()) << method.name;
    }
  });
  EXPECT_EQ(kMethods[kGetServerInfoIndex].operation, kOperationCount);
}

// The fields of `Message` that are of type Tensor, in the schema.
template <typename Message>
int TensorFieldCount() {
  const google::protobuf::Descriptor& message = *Message::descriptor();
  int count = 0;
  for (int i = 0; i < message.field_count(); ++i) {
    count += static_cast<int>(message.field(i)->message_type() == v1::Tensor::descriptor());
  }
  return count;
}

template <typename Message>
void ExpectTensorFieldsOfTheSchema() {
  EXPECT_EQ(static_cast<int>(kTensorFields<Message>.size()), TensorFieldCount<Message>());
  for (const TensorField<Message>& field : kTensorFields<Message>) {
    const auto* const described = Message::descriptor()->FindFieldByNumber(field.number);
    ASSERT_NE(described, nullptr);
    EXPECT_EQ(described->name(), std::string(field.name));
    Message message;
    EXPECT_FALSE((message.*field.has)());
    auto* const tensor = message.GetReflection()->MutableMessage(&message, described);
    EXPECT_TRUE((message.*field.has)());
    EXPECT_EQ(&(message.*field.get)(), tensor);
  }
}

TEST(Operations, ListEveryTensorOfTheirMessages) {
  ForEachOperation([]<typename Operation>() {
    ExpectTensorFieldsOfTheSchema<typename Operation::Request>();
    ExpectTensorFieldsOfTheSchema<typename Operation::Response>();
  });
}

TEST(Operations, AreVisitedByTheirIndex) {
  for (std::size_t index = 0; index < kOperationCount; ++index) {
    const auto visited =
        VisitOperation(index, []<typename Operation>() { return kOperationIndex<Operation>; });
    EXPECT_EQ(visited, index);
  }
}

}  // namespace
}  // namespace quantd::wire
