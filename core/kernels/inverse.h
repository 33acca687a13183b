// Inverses in two parts, by which a division takes two instructions.

#ifndef QUANTD_CORE_KERNELS_INVERSE_H_
#define QUANTD_CORE_KERNELS_INVERSE_H_

namespace quantd::core::kernels {

// Returns the number `low` for which fma(x, 1 / divisor, x * low) is x / divisor, rounded
// once, as long as nothing overflows or underflows. NaN if there is no such number, as for
// one in a thousand divisors, or if the divisor, which is positive, is not from 2^-50 to
// 2^50.
//
// It is 1 / divisor less its value as a float, or a float next to that: Brisebarre, Muller
// and Raina, "Accelerating correctly rounded floating-point division when the divisor is
// known in advance", IEEE Transactions on Computers 53(8), 2004.
float InverseLow(float divisor);

}  // namespace quantd::core::kernels

#endif  // QUANTD_CORE_KERNELS_INVERSE_H_
