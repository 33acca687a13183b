// toml++ as the server uses it: header only and without exceptions. Debian's shared library throws.

#ifndef QUANTD_SERVER_SETTINGS_TOML_H_
#define QUANTD_SERVER_SETTINGS_TOML_H_

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#endif  // QUANTD_SERVER_SETTINGS_TOML_H_
