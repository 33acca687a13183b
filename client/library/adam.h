// The Adam optimizer for a single parameter.

#ifndef QUANTD_CLIENT_LIBRARY_ADAM_H_
#define QUANTD_CLIENT_LIBRARY_ADAM_H_

namespace quantd::client {

// Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015,
// algorithm 1, with its default decay rates.
class Adam {
 public:
  // Returns what to add to the parameter, given the gradient of the loss with
  // respect to it. The step has about the length `learning_rate`, regardless of the
  // gradient's magnitude.
  double Step(double gradient, double learning_rate);

 private:
  double first_moment_ = 0;
  double second_moment_ = 0;
  // The decay rates to the power of the number of steps.
  double first_decay_ = 1;
  double second_decay_ = 1;
};

}  // namespace quantd::client

#endif  // QUANTD_CLIENT_LIBRARY_ADAM_H_
