#include "server/operations/supported.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/element_type.h"
#include "core/base/to_absl.h"
#include "core/numerics.h"

namespace quantd::server {
namespace {

constexpr core::ParameterSource kSources[] = {core::ParameterSource::kRange,
                                              core::ParameterSource::kAffine};

constexpr std::array kOperationKinds = {
    core::OperationKind::kFakeQuantize, core::OperationKind::kFakeQuantizeGradient,
    core::OperationKind::kQuantize, core::OperationKind::kDequantize};

bool HasNumerics(core::OperationKind operation, core::Numerics numerics) {
  return std::ranges::any_of(kSources, [&](core::ParameterSource source) {
    return core::SupportOf(operation, numerics, source).has_value();
  });
}

// Whether `types`, a member of core::Support, has `type` with any numerics.
bool HasType(core::OperationKind operation, core::ElementTypes core::Support::*types,
             core::ElementType type) {
  return std::ranges::any_of(core::kNumericsTable, [&](const core::NumericsRow& row) {
    return std::ranges::any_of(kSources, [&](core::ParameterSource source) {
      const std::optional<core::Support> support = core::SupportOf(operation, row.numerics, source);
      return support.has_value() && ((*support).*types).contains(type);
    });
  });
}

std::string SupportedTypes(core::OperationKind operation,
                           core::ElementTypes core::Support::*types) {
  std::vector<absl::string_view> names;
  for (const core::ElementTypeRow& row : core::kElementTypeTable) {
    if (HasType(operation, types, row.type)) {
      names.push_back(core::ToAbsl(row.name));
    }
  }
  return absl::StrJoin(names, ", ");
}

}  // namespace

bool TakesType(core::OperationKind operation, core::ElementType type) {
  using Row = std::array<bool, core::kElementTypeTable.size()>;
  static const std::array<Row, kOperationKinds.size()> table = [] {
    std::array<Row, kOperationKinds.size()> rows{};
    for (const core::OperationKind kind : kOperationKinds) {
      for (const core::ElementTypeRow& row : core::kElementTypeTable) {
        rows.at(static_cast<std::size_t>(kind)).at(static_cast<std::size_t>(row.type)) =
            HasType(kind, &core::Support::input_types, row.type);
      }
    }
    return rows;
  }();
  return table.at(static_cast<std::size_t>(operation)).at(static_cast<std::size_t>(type));
}

std::string DataTypeName(v1::DataType type) {
  return v1::DataType_IsValid(type) ? v1::DataType_Name(type)
                                    : absl::StrCat("the unknown number ", static_cast<int>(type));
}

std::string SupportedNumerics(core::OperationKind operation) {
  std::vector<absl::string_view> names;
  for (const core::NumericsRow& row : core::kNumericsTable) {
    if (HasNumerics(operation, row.numerics)) {
      names.push_back(core::ToAbsl(row.name));
    }
  }
  return absl::StrJoin(names, ", ");
}

std::string SupportedInputTypes(core::OperationKind operation) {
  return SupportedTypes(operation, &core::Support::input_types);
}

std::string SupportedOutputTypes(core::OperationKind operation) {
  return SupportedTypes(operation, &core::Support::output_types);
}

}  // namespace quantd::server
