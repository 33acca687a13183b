// How kernels go through elements that they compute one by one: runs of one channel, and
// rows of columns whose channels vary. Included once for each SIMD target.
//
// What they compute is an Operation, which names the types In and Out and has a class
// template Vectors<D> for vectors of D, a tag of float, which names them V:
//
//   Vectors(const VectorParameters<V>&, const Rules&)
//   void StoreOne<store>(V x, Out* to)          writes the results of x
//   static void StoreFour<store>(Vectors& …, V …, Out* to)
//                                               writes the results of four vectors, each
//                                               with its own parameters
//   bool SeenNan()                              whether NaN has been among them and has no
//                                               result

#if defined(QUANTD_CORE_KERNELS_ELEMENTWISE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef QUANTD_CORE_KERNELS_ELEMENTWISE_INL_H_
#undef QUANTD_CORE_KERNELS_ELEMENTWISE_INL_H_
#else
#define QUANTD_CORE_KERNELS_ELEMENTWISE_INL_H_
#endif

#include <algorithm>
#include <cstddef>

#include "core/base/element_pointer.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/floats-inl.h"
#include "core/kernels/memory-inl.h"
#include "core/kernels/parameters.h"
#include "core/kernels/vector_parameters-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace quantd::core::kernels::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Vectors are worked on four at a time, side by side.
constexpr std::size_t kTogether = 4;

// Rows are worked on several at a time, so that the parameters of their columns are loaded
// once for all of them, but not many: memory is fastest in order.
template <Store store>
constexpr std::size_t kRowsTogether = store == Store::kStreaming ? 4 : 8;

// Whether kernels fetch what they load next into the cache. From float32 to float32, this does
// not make them faster, only busier (docs/experiments.md).
template <class Operation>
constexpr bool kPrefetches = sizeof(typename Operation::In) != sizeof(float) ||
                             sizeof(typename Operation::Out) != sizeof(float);

// Where kernels do not prefetch, they stream runs this many parts at a time: the hardware fetches
// more of a memory page ahead, the more pages are read.
constexpr std::size_t kPartsTogether = 4;
constexpr std::size_t kPartElements = 4096 / sizeof(float);

// Returns the number of elements whose address must be a multiple of them for
// StoreFour() to write past the cache.
template <class Operation, class D>
HWY_INLINE std::size_t StreamedElements(D d) {
  // Smaller results are joined to one vector.
  return hn::Lanes(d) * sizeof(float) / sizeof(typename Operation::Out);
}

// Writes the results of four vectors one by one, for operations that do not join them.
template <Store store, class Vectors, class V, typename Out>
HWY_INLINE void StoreEach(Vectors& vectors0, Vectors& vectors1, Vectors& vectors2,
                          Vectors& vectors3, V x0, V x1, V x2, V x3, Out* to) {
  const std::size_t lanes = hn::Lanes(hn::DFromV<V>());
  vectors0.template StoreOne<store>(x0, to);
  vectors1.template StoreOne<store>(x1, to + lanes);
  vectors2.template StoreOne<store>(x2, to + 2 * lanes);
  vectors3.template StoreOne<store>(x3, to + 3 * lanes);
}

// Works on four vectors from `input` on, each with its own parameters, and fetches what lies
// `prefetched_bytes` behind them if that makes the kernel faster.
template <class Operation, Store store, class Vectors>
HWY_INLINE void FourVectors(Vectors& vectors0, Vectors& vectors1, Vectors& vectors2,
                            Vectors& vectors3, ElementPointer<typename Operation::In> input,
                            std::size_t prefetched_bytes, typename Operation::Out* output) {
  const hn::DFromV<typename Vectors::V> d;
  const std::size_t lanes = hn::Lanes(d);
  if constexpr (kPrefetches<Operation>) {
    PrefetchBehind(input, kTogether * lanes, prefetched_bytes);
  }
  Vectors::template StoreFour<store>(vectors0, vectors1, vectors2, vectors3, LoadFloats(d, input),
                                     LoadFloats(d, input + lanes), LoadFloats(d, input + 2 * lanes),
                                     LoadFloats(d, input + 3 * lanes), output);
}

// Works element by element.
template <class Operation>
bool SingleElements(
    const RunArguments<typename Operation::In, typename Operation::Out>& arguments) {
  const hn::CappedTag<float, 1> d;
  typename Operation::template Vectors<decltype(d)> vectors(
      Broadcast(d, *arguments.channel, *arguments.rules), *arguments.rules);
  for (std::size_t i = 0; i < arguments.count; ++i) {
    vectors.template StoreOne<Store::kCached>(LoadFloats(d, arguments.input + i),
                                              arguments.output + i);
  }
  return vectors.SeenNan();
}

// Returns what SeenNan() does.
template <class Operation, Store store>
bool Run(const RunArguments<typename Operation::In, typename Operation::Out>& arguments) {
  const hn::ScalableTag<float> d;
  using V = hn::Vec<decltype(d)>;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t count = arguments.count;
  if (count < 2 * lanes) {
    return SingleElements<Operation>(arguments);
  }
  typename Operation::template Vectors<decltype(d)> vectors(
      Broadcast(d, *arguments.channel, *arguments.rules), *arguments.rules);
  const ElementPointer<typename Operation::In> input = arguments.input;
  typename Operation::Out* const output = arguments.output;

  // The first and the last vector overlap their neighbours instead of being
  // shorter. They are loaded first and stored last, because input and output
  // may be the same.
  const V first = LoadFloats(d, input);
  const V last = LoadFloats(d, input + (count - lanes));
  const std::size_t head = ElementsToAlignment(output, lanes);
  std::size_t i = head;
  const auto store_one = [&](std::size_t at) HWY_ATTR {
    vectors.template StoreOne<Store::kCached>(LoadFloats(d, input + at), output + at);
  };
  for (; i + lanes <= count && ElementsToAlignment(output + i, StreamedElements<Operation>(d)) != 0;
       i += lanes) {
    store_one(i);
  }
  const auto store_four = [&](std::size_t at) HWY_ATTR {
    FourVectors<Operation, store>(vectors, vectors, vectors, vectors, input + at, kPrefetchedBytes,
                                  output + at);
  };
  if constexpr (store == Store::kStreaming && !kPrefetches<Operation>) {
    for (; i + kPartsTogether * kPartElements <= count; i += kPartsTogether * kPartElements) {
      for (std::size_t at = 0; at < kPartElements; at += kTogether * lanes) {
        for (std::size_t part = 0; part < kPartsTogether; ++part) {
          store_four(i + part * kPartElements + at);
        }
      }
    }
  }
  for (; i + kTogether * lanes <= count; i += kTogether * lanes) {
    store_four(i);
  }
  for (; i + lanes <= count; i += lanes) {
    store_one(i);
  }
  if (head > 0) {
    vectors.template StoreOne<Store::kCached>(first, output);
  }
  if (i < count) {
    vectors.template StoreOne<Store::kCached>(last, output + count - lanes);
  }
  return vectors.SeenNan();
}

// Works on four vectors of columns from `column` on.
template <class Operation, Store store, class D>
HWY_INLINE bool FourColumnVectors(
    D d, const ColumnsArguments<typename Operation::In, typename Operation::Out>& arguments,
    std::size_t column) {
  // The next elements are those of other rows, if there are other columns.
  const std::size_t prefetched_bytes = arguments.columns > kTogether * hn::Lanes(d)
                                           ? kPrefetchedBytes / kRowsTogether<store>
                                           : kPrefetchedBytes;
  using Vectors = typename Operation::template Vectors<D>;
  const std::size_t lanes = hn::Lanes(d);
  const auto parameters = [&](std::size_t first) HWY_ATTR {
    return LoadParameters(d, arguments.parameters[first / kMaxLanes], first % kMaxLanes,
                          *arguments.rules);
  };
  Vectors vectors0(parameters(column), *arguments.rules);
  Vectors vectors1(parameters(column + lanes), *arguments.rules);
  Vectors vectors2(parameters(column + 2 * lanes), *arguments.rules);
  Vectors vectors3(parameters(column + 3 * lanes), *arguments.rules);
  const ElementPointer<typename Operation::In> input = arguments.input;
  typename Operation::Out* const output = arguments.output;
  const std::size_t rows = arguments.rows;
  const std::size_t stride = arguments.stride;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t at = row * stride + column;
    FourVectors<Operation, store>(vectors0, vectors1, vectors2, vectors3, input + at,
                                  prefetched_bytes, output + at);
  }
  return vectors0.SeenNan() || vectors1.SeenNan() || vectors2.SeenNan() || vectors3.SeenNan();
}

// Works on the columns of one vector.
template <class Operation, Store store, class D>
HWY_INLINE bool ColumnVector(
    D d, const ColumnsArguments<typename Operation::In, typename Operation::Out>& arguments,
    std::size_t column) {
  typename Operation::template Vectors<D> vectors(
      LoadParameters(d, arguments.parameters[column / kMaxLanes], column % kMaxLanes,
                     *arguments.rules),
      *arguments.rules);
  for (std::size_t row = 0; row < arguments.rows; ++row) {
    const std::size_t at = row * arguments.stride + column;
    vectors.template StoreOne<store>(LoadFloats(d, arguments.input + at), arguments.output + at);
  }
  return vectors.SeenNan();
}

// Works on as many columns as possible at once.
template <class Operation, Store store>
HWY_INLINE bool ColumnRows(
    const ColumnsArguments<typename Operation::In, typename Operation::Out>& arguments) {
  const hn::CappedTag<float, kMaxLanes> d;
  const hn::CappedTag<float, 1> single;
  const std::size_t lanes = hn::Lanes(d);
  const std::size_t columns = arguments.columns;
  std::size_t column = 0;
  bool seen_nan = false;
  for (; column + kTogether * lanes <= columns; column += kTogether * lanes) {
    seen_nan |= FourColumnVectors<Operation, store>(d, arguments, column);
  }
  for (; column + lanes <= columns; column += lanes) {
    seen_nan |= ColumnVector<Operation, store>(d, arguments, column);
  }
  for (; column < columns; ++column) {
    seen_nan |= ColumnVector<Operation, Store::kCached>(single, arguments, column);
  }
  return seen_nan;
}

template <class Operation, Store store>
bool Columns(const ColumnsArguments<typename Operation::In, typename Operation::Out>& arguments) {
  std::size_t rows_together = kRowsTogether<store>;
  if (arguments.stride <= kTogether * hn::Lanes(hn::CappedTag<float, kMaxLanes>())) {
    // They are whole rows, which lie in the order of memory.
    rows_together = arguments.rows;
  }
  auto part = arguments;
  bool seen_nan = false;
  for (std::size_t left = arguments.rows; left > 0; left -= part.rows) {
    part.rows = std::min(rows_together, left);
    seen_nan |= ColumnRows<Operation, store>(part);
    part.input = part.input + part.rows * part.stride;
    part.output += part.rows * part.stride;
  }
  return seen_nan;
}

// Whether results can be written past the cache.
template <class Operation, typename In, typename Out>
bool CanStream(const RunArguments<In, Out>& arguments) {
  return arguments.count >= kStreamedRun;
}
template <class Operation, typename In, typename Out>
bool CanStream(const ColumnsArguments<In, Out>& arguments) {
  const std::size_t streamed = StreamedElements<Operation>(hn::CappedTag<float, kMaxLanes>());
  return ElementsToAlignment(arguments.output, streamed) == 0 && arguments.stride % streamed == 0;
}

template <class Operation, Store store, typename In, typename Out>
bool ComputeAll(const RunArguments<In, Out>& arguments) {
  return Run<Operation, store>(arguments);
}
template <class Operation, Store store, typename In, typename Out>
bool ComputeAll(const ColumnsArguments<In, Out>& arguments) {
  return Columns<Operation, store>(arguments);
}

// Computes a run or columns, and returns what SeenNan() does.
template <class Operation, class Arguments>
bool Compute(const Arguments& arguments) {
  if (arguments.store == Store::kStreaming && CanStream<Operation>(arguments)) {
    const bool seen_nan = ComputeAll<Operation, Store::kStreaming>(arguments);
    hwy::FlushStream();
    return seen_nan;
  }
  return ComputeAll<Operation, Store::kCached>(arguments);
}

}  // namespace quantd::core::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // QUANTD_CORE_KERNELS_ELEMENTWISE_INL_H_
