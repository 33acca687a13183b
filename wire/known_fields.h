// The fields that a type of message has in the schema.

#ifndef QUANTD_WIRE_KNOWN_FIELDS_H_
#define QUANTD_WIRE_KNOWN_FIELDS_H_

#include <google/protobuf/descriptor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "wire/message_reader.h"

namespace quantd::wire {

// What Split() needs to know of a type of message. Made once for each type. Immutable,
// and safe for use by several threads at once.
class KnownFields {
 public:
  // How the value of a field is treated.
  enum class Role : std::uint8_t {
    kPlain,
    kMessage,
    kTensor,
    // Of a tensor.
    kShape,
    kData,
    kFloatValues,
    kSharedMemory,
  };

  struct Field {
    Role role = Role::kPlain;
    // Bit w is set if wire type w is one that the parser takes for the field.
    std::uint8_t wire_types = 0;
    // The place of a kTensor among the `tensor_fields`.
    std::size_t tensor = 0;
    // The fields within kMessage, kTensor and kSharedMemory.
    std::unique_ptr<const KnownFields> message;
  };

  // `type` does not contain itself. `tensor_fields` are the numbers of those fields of type
  // Tensor whose elements are split off.
  explicit KnownFields(const google::protobuf::Descriptor& type,
                       std::span<const int> tensor_fields = {});

  std::size_t tensor_count() const { return tensor_count_; }

  // Returns the field of this number and wire type. Null if the parser takes it for unknown.
  const Field* Find(const Tag& tag) const {
    return tag.number < fields_.size() && (fields_[tag.number].wire_types >> tag.type & 1U) != 0
               ? &fields_[tag.number]
               : nullptr;
  }

 private:
  KnownFields() = default;

  // The fields of a tensor whose elements are split off.
  static std::unique_ptr<const KnownFields> OfTensor();

  void AddFields(const google::protobuf::Descriptor& type);

  // By number.
  std::vector<Field> fields_;
  std::size_t tensor_count_ = 0;
};

}  // namespace quantd::wire

#endif  // QUANTD_WIRE_KNOWN_FIELDS_H_
