package quantd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Options say how to connect. The zero value is a connection without encryption and token.
type Options struct {
	// Whether the connection is encrypted. It also is if there are certificates.
	TLS bool
	// The certificates to trust, in PEM format; nil means those of the system.
	RootCertificates []byte
	// The client's own key, its certificate and those that signed it, in PEM format, if the server
	// requires them.
	PrivateKey, CertificateChain []byte
	// The name in the server's certificate, if it is not that in the address.
	ServerName string
	// Is sent with each call, as "authorization: Bearer TOKEN". To other machines only with encryption.
	Token string
}

// All methods of quantd that this package calls are unary and only compute, so gRPC may make their calls
// again. Versions before 1.40 do so only if the environment has GRPC_GO_RETRY=on.
const serviceConfig = `{
	"loadBalancingConfig": [{"round_robin": {}}],
	"methodConfig": [{
		"name": [{"service": "quantd.v1.QuantizationService"}],
		"retryPolicy": {
			"maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "2s", "backoffMultiplier": 2,
			"retryableStatusCodes": ["UNAVAILABLE"]
		}
	}]
}`

// Dial returns a connection for NewClient, which connects when the first call is made. The caller has to
// close it. address is HOST:PORT, with an IPv6 address in brackets, or unix:PATH.
func Dial(address string, options Options) (*grpc.ClientConn, error) {
	target, isLocal, err := parse(address)
	if err != nil {
		return nil, err
	}
	transport, err := options.transportCredentials()
	if err != nil {
		return nil, err
	}
	dial := []grpc.DialOption{grpc.WithDefaultServiceConfig(serviceConfig)}
	if transport != nil {
		dial = append(dial, grpc.WithTransportCredentials(transport))
	} else {
		dial = append(dial, grpc.WithInsecure())
	}
	if isLocal {
		// What stays on this machine does not go through a proxy.
		dial = append(dial, grpc.WithNoProxy())
	}
	if options.Token != "" {
		token := strings.TrimSpace(options.Token)
		if !visible.MatchString(token) {
			return nil, errors.New("quantd: the token is empty or has spaces or characters beyond ASCII; expected a " +
				"token: pass what follows \"Bearer \"")
		}
		if transport == nil && !isLocal {
			return nil, fmt.Errorf("quantd: the token would be sent to %s without encryption; expected TLS, or an "+
				"address on this machine: set TLS or RootCertificates", address)
		}
		dial = append(dial, grpc.WithPerRPCCredentials(bearer(token)))
	}
	return grpc.Dial(target, dial...)
}

// transportCredentials returns nil for a connection without encryption.
func (o Options) transportCredentials() (credentials.TransportCredentials, error) {
	hasKey := o.PrivateKey != nil || o.CertificateChain != nil
	if !o.TLS && o.RootCertificates == nil && !hasKey {
		if o.ServerName != "" {
			return nil, errors.New("quantd: ServerName is set without TLS; expected TLS or RootCertificates as well")
		}
		return nil, nil
	}
	config := &tls.Config{ServerName: o.ServerName, MinVersion: tls.VersionTLS12}
	if o.RootCertificates != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(o.RootCertificates) {
			return nil, errors.New("quantd: RootCertificates has no certificate; expected the contents of a PEM file")
		}
	}
	if hasKey {
		own, err := tls.X509KeyPair(o.CertificateChain, o.PrivateKey)
		if err != nil {
			return nil, fmt.Errorf("quantd: CertificateChain and PrivateKey do not make a pair (%w); expected the "+
				"contents of two PEM files", err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	return credentials.NewTLS(config), nil
}

// A bearer is a token that is sent as metadata.
type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity returns false because Dial has checked where the token goes.
func (b bearer) RequireTransportSecurity() bool { return false }

var (
	visible      = regexp.MustCompile(`^[!-~]+$`)
	hostPattern  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	endsInNumber = regexp.MustCompile(`(^|\.)[0-9]+$`)
)

// Linux's sun_path has 108 bytes, the last of which is zero.
const maxUnixPath = 107

// parse returns what gRPC connects to, and whether that is on this machine.
func parse(address string) (target string, isLocal bool, err error) {
	refuse := func(problem string) (string, bool, error) {
		return "", false, fmt.Errorf("quantd: expected HOST:PORT, with an IPv6 address in brackets, or unix:PATH, "+
			"such as localhost:50051, but the address is %s: %s", address, problem)
	}
	if strings.HasPrefix(address, "unix:") {
		size := len(address) - len("unix:")
		if size == 0 || size > maxUnixPath {
			return refuse(fmt.Sprintf("its path has %d bytes, and that of a unix socket 1 to %d", size, maxUnixPath))
		}
		return address, true, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return refuse("it has another form")
	}
	if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
		return refuse("its port is not from 1 to 65535")
	}
	ip := net.ParseIP(host)
	if strings.HasPrefix(address, "[") {
		if ip == nil || !strings.Contains(host, ":") {
			return refuse("there is no IPv6 address in the brackets")
		}
	} else if !hostPattern.MatchString(host) || (ip == nil && endsInNumber.MatchString(host)) {
		return refuse("its host is neither a name nor an address")
	}
	if strings.EqualFold(host, "localhost") || ip.IsLoopback() {
		return "passthrough:///" + address, true, nil
	}
	// All addresses of a name take turns.
	return "dns:///" + address, false, nil
}
