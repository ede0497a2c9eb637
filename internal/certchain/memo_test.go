package certchain

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

func raws(chain []*x509.Certificate) (der [][]byte) {
	for _, c := range chain {
		der = append(der, c.Raw)
	}
	return der
}

// TestFacts: what is known changes no answer. Each chain is judged with an empty
// memo, with one that has seen it, and with one whose root is an anchor.
func TestFacts(t *testing.T) {
	t.Parallel()
	good := testpki.New(t, testpki.Options{Algorithm: "ec-256"}).Certs
	other := testpki.New(t, testpki.Options{Algorithm: "ec-384"}).Certs
	// Of the same names, so that only the signatures tell the chains apart.
	mixed := append(slices.Clone(good[:len(good)-1]), other[len(other)-1])
	spoilt := slices.Clone(good[0].Raw)
	spoilt[len(spoilt)-1] ^= 1
	broken, err := Parse(append([][]byte{spoilt}, raws(good[1:])...))
	if err != nil {
		t.Fatal(err)
	}
	anchors := NewMemo(1 << 20)
	anchors.LearnRoot(good[len(good)-1].Raw)
	anchors.LearnRoot(other[len(other)-1].Raw)
	anchors.LearnRoot([]byte("no certificate"))
	seen := NewMemo(1 << 20)
	for _, tt := range []struct {
		name  string
		chain []*x509.Certificate
		want  reason.Code
	}{
		{"good", good, ""}, {"other", other, ""},
		{"another root of the name", mixed, reason.CertSignature},
		{"another signature", broken, reason.CertSignature},
		{"without its root", good[:1], reason.CertChainIncomplete},
		{"good again", good, ""},
	} {
		for _, facts := range []Facts{{}, {Seen: NewMemo(1 << 20)}, {Seen: seen}, {Anchors: anchors}, {anchors, seen}, {new(Memo), new(Memo)}} {
			for range 2 {
				chain, err := facts.Parse(raws(tt.chain))
				if err != nil {
					t.Fatalf("%s: %v", tt.name, err)
				}
				if !slices.EqualFunc(chain, tt.chain, (*x509.Certificate).Equal) {
					t.Errorf("%s: another chain", tt.name)
				}
				if err := facts.Check(chain, CodeSigning); reason.Of(err) != tt.want {
					t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
				}
				if err := facts.Check(chain, TimeStamping); err == nil {
					t.Errorf("%s: passes for time stamping", tt.name)
				}
			}
		}
	}
	if _, err := (Facts{Seen: seen}).Parse([][]byte{good[0].Raw, []byte("no certificate")}); reason.Of(err) != reason.CertParse {
		t.Errorf("no certificate: %v", err)
	}
}

// TestFactsAreShared: a chain that is known is not parsed again.
func TestFactsAreShared(t *testing.T) {
	t.Parallel()
	der := raws(testpki.New(t, testpki.Options{Algorithm: "ec-256"}).Certs)
	facts := Facts{Seen: NewMemo(1 << 20)}
	first, err := facts.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	if second, _ := facts.Parse(der); second[0] != first[0] {
		t.Error("parsed again")
	}
	if again, _ := (Facts{}).Parse(der); again[0] == first[0] {
		t.Error("shared with who has not asked for it")
	}
}

// TestMemoIsBounded: it forgets what was not asked for lately, and nothing else.
func TestMemoIsBounded(t *testing.T) {
	t.Parallel()
	cert := testpki.New(t, testpki.Options{Algorithm: "ec-256"}).Certs[0]
	known := &fact{cert: cert}
	m := NewMemo(10 * known.cost())
	key := func(i int) (f fingerprint) { f[0], f[1] = byte(i), byte(i>>8); return f }
	for i := range 1000 {
		m.put(key(i), known)
		m.get(key(0))
		if n := len(m.recent) + len(m.earlier); n > 20 || m.size > m.max {
			t.Fatalf("holds %d of %d bytes", n, m.size)
		}
	}
	if m.get(key(0)) == nil || m.get(key(999)) == nil {
		t.Error("forgot what was in use")
	}
	if m.get(key(500)) != nil {
		t.Error("remembers what nobody asked for")
	}
}

// TestMemoKeepsNoEnvelope: what is remembered does not hold on to the bytes that
// the certificate stood among, and does not change with them.
func TestMemoKeepsNoEnvelope(t *testing.T) {
	t.Parallel()
	der := raws(testpki.New(t, testpki.Options{Algorithm: "ec-256"}).Certs)
	envelope := slices.Concat(der[0], make([]byte, 1<<20))
	facts := Facts{Seen: NewMemo(1 << 20)}
	chain, err := facts.Parse([][]byte{envelope[:len(der[0]):len(der[0])]})
	if err != nil {
		t.Fatal(err)
	}
	clear(envelope)
	if known, err := facts.Parse(der[:1]); err != nil || known[0] != chain[0] || !slices.Equal(known[0].Raw, der[0]) {
		t.Errorf("remembers what is not there any more: %v", err)
	}
}

// TestMemoChargesForNames: a certificate that lists much takes many times its
// length in memory, and counts as that.
func TestMemoChargesForNames(t *testing.T) {
	t.Parallel()
	const names = 1000
	chain := bent(0, func(c *x509.Certificate) {
		for range names {
			c.URIs = append(c.URIs, &url.URL{Path: "a"})
		}
	})(t, testpki.Options{Algorithm: "ec-256"})
	if got := (&fact{cert: chain[0]}).cost(); got < names*int(reflect.TypeFor[url.URL]().Size()) {
		t.Errorf("%d names of one byte each are taken for %d bytes", names, got)
	}
}

func TestMemoConcurrently(t *testing.T) {
	t.Parallel()
	chains := [][][]byte{}
	for range 3 {
		chains = append(chains, raws(testpki.New(t, testpki.Options{Algorithm: "ec-256"}).Certs))
	}
	facts := Facts{Seen: NewMemo(3 * parsedBytes)} // too small for all
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 30 {
				chain, err := facts.Parse(chains[(i+j)%len(chains)])
				if err == nil {
					err = facts.Check(chain, CodeSigning)
				}
				if err != nil {
					t.Error(fmt.Errorf("%d: %w", j, err))
				}
			}
		})
	}
	group.Wait()
}
