package revocation

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"syscall"
)

// privateError says that a redirect would have connected to an address that is
// not of the public Internet.
type privateError struct{ address string }

func (e *privateError) Error() string { return "private address " + e.address }

// notPublic are the networks, beside those that net/netip knows, that no public
// server is in (RFC 6890 and the IANA registries that continue it), and the
// IPv6 networks in whose addresses an IPv4 address is written: what is at the
// other end of those depends on the gateway.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),          // IPv4-compatible, RFC 4291 section 2.5.5.1
	netip.MustParsePrefix("64:ff9b::/96"),   // NAT64, RFC 6052
	netip.MustParsePrefix("64:ff9b:1::/48"), // NAT64 for local use, RFC 8215
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), // Teredo and other protocols
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"), // 6to4, RFC 3056
	netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("5f00::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

func public(a netip.Addr) bool {
	a = a.WithZone("").Unmap()
	if !a.IsValid() || !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() {
		return false
	}
	for _, network := range notPublic {
		if network.Contains(a) {
			return false
		}
	}
	return true
}

// publicLiteral reports whether a host, if it is an IP address, is public. A
// name is judged when it is connected to, by the address that is used.
func publicLiteral(host string) bool {
	a, err := netip.ParseAddr(host)
	return err != nil || public(a)
}

// newFetcher makes the transports from the client that was handed in. Its
// transport is used for its proxy, dialer and bounds; its jar, redirect policy
// and timeout are not, since the requests have their own.
//
// Redirects have a transport of their own that looks at the address of each
// connection, so that neither a name that resolves otherwise a second time nor
// a connection that is already open leads into a private network.
func newFetcher(client *http.Client, private bool) fetcher {
	var base *http.Transport
	switch {
	case client == nil || client.Transport == nil:
		base = &http.Transport{Proxy: http.ProxyFromEnvironment}
	default:
		given, ok := client.Transport.(*http.Transport)
		if !ok {
			return fetcher{direct: client.Transport, private: private}
		}
		base = given.Clone()
	}
	base.DisableCompression = true
	base.DisableKeepAlives = true
	base.MaxResponseHeaderBytes = maxHeaderBytes
	guarded := base.Clone()
	guarded.DialContext = guardedDial(base.DialContext)
	if base.DialContext == nil {
		base.DialContext = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	return fetcher{direct: base, guarded: guarded, proxy: base.Proxy, private: private}
}

type dial func(ctx context.Context, network, address string) (net.Conn, error)

// guardedDial returns a dial that refuses private addresses. It asks before
// connecting where the dialer is ours, and else before anything is sent.
func guardedDial(inner dial) dial {
	if inner == nil {
		d := &net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error { return checkAddress(address) }}
		return d.DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := inner(ctx, network, address)
		if err != nil {
			return nil, err
		}
		if err := checkAddress(conn.RemoteAddr().String()); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return conn, nil
	}
}

func checkAddress(address string) error {
	if a, err := netip.ParseAddrPort(address); err != nil || !public(a.Addr()) {
		return &privateError{address}
	}
	return nil
}
