// The names that a certificate gives its owner.

#ifndef QUANTD_SERVER_ACCESS_CERTIFICATE_NAMES_H_
#define QUANTD_SERVER_ACCESS_CERTIFICATE_NAMES_H_

#include <openssl/ssl.h>

#include <string>
#include <vector>

namespace quantd::server {

// Returns the names in the certificate that the peer of `connection` has shown: the alternative
// names that are DNS names, URIs or mail addresses, and the common name. Empty if it has shown
// none.
std::vector<std::string> PeerCertificateNames(const SSL* connection);

}  // namespace quantd::server

#endif  // QUANTD_SERVER_ACCESS_CERTIFICATE_NAMES_H_
