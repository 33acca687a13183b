#include "wire/known_fields.h"

#include <google/protobuf/wire_format_lite.h>

#include <algorithm>
#include <cassert>

#include "absl/memory/memory.h"
#include "quantd/v1/tensor.pb.h"

namespace quantd::wire {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;

std::uint8_t WireTypesOf(const FieldDescriptor& field) {
  const auto type = static_cast<WireFormatLite::FieldType>(field.type());
  unsigned int wire_types = 1U << WireFormatLite::WireTypeForFieldType(type);
  if (field.is_packable()) {
    // Parsers take both forms of repeated numbers.
    wire_types |= 1U << WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
  }
  return static_cast<std::uint8_t>(wire_types);
}

}  // namespace

KnownFields::KnownFields(const Descriptor& type, std::span<const int> tensor_fields)
    : tensor_count_(tensor_fields.size()) {
  AddFields(type);
  for (std::size_t i = 0; i < tensor_fields.size(); ++i) {
    Field& field = fields_.at(static_cast<std::size_t>(tensor_fields[i]));
    field.role = Role::kTensor;
    field.tensor = i;
    field.message = OfTensor();
  }
}

void KnownFields::AddFields(const Descriptor& type) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& descriptor = *type.field(i);
    assert(descriptor.type() != FieldDescriptor::TYPE_GROUP && "proto3 has no groups");
    const auto number = static_cast<std::size_t>(descriptor.number());
    fields_.resize(std::max(fields_.size(), number + 1));
    Field& field = fields_[number];
    field.wire_types = WireTypesOf(descriptor);
    if (descriptor.message_type() != nullptr) {
      field.role = Role::kMessage;
      field.message = std::make_unique<const KnownFields>(*descriptor.message_type());
    }
  }
}

std::unique_ptr<const KnownFields> KnownFields::OfTensor() {
  // Not make_unique(), for which the constructor would have to be public.
  std::unique_ptr<KnownFields> tensor = absl::WrapUnique(new KnownFields());
  tensor->AddFields(*v1::Tensor::descriptor());
  tensor->fields_[v1::Tensor::kShapeFieldNumber].role = Role::kShape;
  tensor->fields_[v1::Tensor::kDataFieldNumber].role = Role::kData;
  tensor->fields_[v1::Tensor::kFloatValuesFieldNumber].role = Role::kFloatValues;
  tensor->fields_[v1::Tensor::kSharedMemoryFieldNumber].role = Role::kSharedMemory;
  return tensor;
}

}  // namespace quantd::wire
