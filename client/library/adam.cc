#include "client/library/adam.h"

#include <cmath>

namespace quantd::client {
namespace {

constexpr double kFirstDecayRate = 0.9;
constexpr double kSecondDecayRate = 0.999;
// Far below the paper's 1e-8, because gradients near the optimum of a 16-bit range
// are smaller than that.
constexpr double kEpsilon = 1e-30;

}  // namespace

double Adam::Step(double gradient, double learning_rate) {
  first_moment_ = kFirstDecayRate * first_moment_ + (1 - kFirstDecayRate) * gradient;
  second_moment_ = kSecondDecayRate * second_moment_ + (1 - kSecondDecayRate) * gradient * gradient;
  first_decay_ *= kFirstDecayRate;
  second_decay_ *= kSecondDecayRate;
  const double mean = first_moment_ / (1 - first_decay_);
  const double mean_square = second_moment_ / (1 - second_decay_);
  return -learning_rate * mean / (std::sqrt(mean_square) + kEpsilon);
}

}  // namespace quantd::client
