#include "core/kernels/dequantize.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/kernels/dequantize.cc"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
// Must follow foreach_target.h.
#include "core/kernels/elementwise-inl.h"
#include "core/kernels/flush_subnormals.h"
#include "core/kernels/formulas-inl.h"
#include "core/kernels/memory-inl.h"
#include "core/kernels/vector_parameters-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

// Computes the values of codes: an Operation of elementwise-inl.h. A formula of steps
// stands for its formula of values.
template <StepFormula step, typename Code>
struct Dequantization {
  using In = Code;
  using Out = float;

  template <class D>
  class Vectors {
   public:
    using V = hn::Vec<D>;

    HWY_INLINE Vectors(const VectorParameters<V>& parameters, const Rules& rules)
        : parameters_(parameters) {
      const D d;
      origin_ = hn::Sub(parameters.quant_min, hn::Set(d, static_cast<float>(rules.code_offset)));
      if constexpr (ValueOf(step) == ValueFormula::kFromZero) {
        origin_ = hn::Sub(origin_, parameters.lowest_step);
      }
    }

    template <Store store>
    HWY_INLINE void StoreOne(V codes, float* to) const {
      const D d;
      StoreVector<store>(d, Value<step>(d, hn::Sub(codes, origin_), parameters_), to);
    }

    template <Store store>
    static HWY_INLINE void StoreFour(const Vectors& vectors0, const Vectors& vectors1,
                                     const Vectors& vectors2, const Vectors& vectors3, V codes0,
                                     V codes1, V codes2, V codes3, float* to) {
      StoreEach<store>(vectors0, vectors1, vectors2, vectors3, codes0, codes1, codes2, codes3, to);
    }

    bool SeenNan() const { return false; }

   private:
    VectorParameters<V> parameters_;
    // The code of 0 steps.
    V origin_;
  };
};

// Arguments are those of a run or of columns.
template <StepFormula step, template <typename, typename> class Arguments, typename Code>
void DequantizeFromLowest(const Arguments<Code, float>& arguments) {
  if (arguments.rules->flushes_subnormals) {
    const ScopedFlushSubnormals flush;
    Compute<Dequantization<step, Code>>(arguments);
    return;
  }
  Compute<Dequantization<step, Code>>(arguments);
}

template <template <typename, typename> class Arguments, typename Code>
void DequantizeWithFormula(const Arguments<Code, float>& arguments) {
  switch (ValueOf(arguments.rules->step)) {
    case ValueFormula::kFromZero:
      Compute<Dequantization<StepFormula::kMultiply, Code>>(arguments);
      return;
    case ValueFormula::kFromLowest:
      return DequantizeFromLowest<StepFormula::kFromLowest>(arguments);
    case ValueFormula::kFromLowestFused:
      return DequantizeFromLowest<StepFormula::kFromLowestFused>(arguments);
    case ValueFormula::kFromLowerEnd:
      return DequantizeFromLowest<StepFormula::kFromLowerEnd>(arguments);
  }
}

void RunOfInt8(const RunArguments<std::int8_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void RunOfUint8(const RunArguments<std::uint8_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void RunOfInt16(const RunArguments<std::int16_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void RunOfUint16(const RunArguments<std::uint16_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void ColumnsOfInt8(const ColumnsArguments<std::int8_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void ColumnsOfUint8(const ColumnsArguments<std::uint8_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void ColumnsOfInt16(const ColumnsArguments<std::int16_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}
void ColumnsOfUint16(const ColumnsArguments<std::uint16_t, float>& arguments) {
  DequantizeWithFormula(arguments);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace quantd::core::kernels {

HWY_EXPORT(RunOfInt8);
HWY_EXPORT(RunOfUint8);
HWY_EXPORT(RunOfInt16);
HWY_EXPORT(RunOfUint16);
HWY_EXPORT(ColumnsOfInt8);
HWY_EXPORT(ColumnsOfUint8);
HWY_EXPORT(ColumnsOfInt16);
HWY_EXPORT(ColumnsOfUint16);

void DequantizeRun(const RunArguments<std::int8_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(RunOfInt8)(arguments);
}
void DequantizeRun(const RunArguments<std::uint8_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(RunOfUint8)(arguments);
}
void DequantizeRun(const RunArguments<std::int16_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(RunOfInt16)(arguments);
}
void DequantizeRun(const RunArguments<std::uint16_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(RunOfUint16)(arguments);
}

void DequantizeColumns(const ColumnsArguments<std::int8_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(ColumnsOfInt8)(arguments);
}
void DequantizeColumns(const ColumnsArguments<std::uint8_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(ColumnsOfUint8)(arguments);
}
void DequantizeColumns(const ColumnsArguments<std::int16_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(ColumnsOfInt16)(arguments);
}
void DequantizeColumns(const ColumnsArguments<std::uint16_t, float>& arguments) {
  HWY_DYNAMIC_DISPATCH(ColumnsOfUint16)(arguments);
}

}  // namespace quantd::core::kernels
#endif  // HWY_ONCE
