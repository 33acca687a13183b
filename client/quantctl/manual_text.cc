#include "client/quantctl/manual_text.h"

#include <string>

#include "version.h"

namespace quantd::client {

command_line::ManualText MakeManualText() {
  return {
      .summary = "quantize tensors with quantd, and load-test it",
      .version = std::string(kVersion),
      .environment = {},
      .sections = {
          {.title = "FILES",
           .entries =
               {{.tag = "x.npy",
                 .text = "An array that numpy's np.save() wrote, in any byte order, and in C or "
                         "Fortran order. It may be a pipe."},
                {.tag = "-",
                 .text = "The standard input or output. Where an array is written to the standard "
                         "output, the report goes to the standard error stream."},
                {.tag = "x.npz:name",
                 .text = "The array of that name in an archive that np.savez() wrote; without a "
                         "name, the only one. Writing adds it to the archive."}}},
          {.title = "EXIT STATUS",
           .entries = {{.tag = "0", .text = "Success."},
                       {.tag = "1",
                        .text = "A call failed, or a file could not be read or written."},
                       {.tag = "2", .text = "Wrong usage; nothing was done."},
                       {.tag = "3", .text = "The result of a load test is not good enough."}}},
          {.title = "EXAMPLES",
           .entries =
               {{.tag = "quantctl fake-quant --input x.npy --min -6 --max 6 --output y.npy",
                 .text = "Quantizes a tensor with one range."},
                {.tag = "quantctl fake-quant --input x.npy --axis 3 --range-from-data --num-bits "
                        "4 --output y.npy",
                 .text = "Quantizes each channel with the range of its data."},
                {.tag = "quantctl quantize --input x.npy --axis 0 --data-range --symmetric "
                        "--narrow-range --output-type int8 --output q.npz:codes --scale-output "
                        "q.npz:scale",
                 .text = "Quantizes each channel to int8, and keeps the codes and their scales in "
                         "one archive."},
                {.tag = "quantctl dequantize --input q.npz:codes --axis 0 --scale q.npz:scale "
                        "--output y.npy",
                 .text = "Computes the values of these codes."},
                {.tag = "quantctl train-range --input x.npy --num-bits 4",
                 .text = "Learns the range with the least error."},
                {.tag = "quantctl bench --rate 2000 --report report.html",
                 .text = "Sends 2000 calls per second and writes a report."},
                {.tag = "quantctl --server unix:/run/quantd/quantd.sock health",
                 .text = "Checks the health of a server on a unix socket."},
                {.tag = "source <(quantctl --completion bash)",
                 .text = "Enables completion of commands, flags and values in the current "
                         "shell."}}},
          {.title = "SEE ALSO", .entries = {{.tag = "", .text = "quantd(1)"}}},
      }};
}

}  // namespace quantd::client
