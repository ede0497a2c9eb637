package revocation

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

const deltaURL = "http://crl.test/delta.crl"

// attack: REV-03
func TestCRLStatus(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		entries func(*world) [][]byte
		status  Status
		code    reason.Code
		why     Reason
	}{
		"no entries": {func(*world) [][]byte { return nil }, Good, "", ""},
		"another": {func(w *world) [][]byte {
			return [][]byte{testpki.CRLEntry(big.NewInt(5), w.now, 1), testpki.CRLEntry(big.NewInt(-5), w.now, 1)}
		}, Good, "", ""},
		"revoked":       {func(w *world) [][]byte { return [][]byte{w.entry(-1)} }, Revoked, reason.RevocationRevoked, ""},
		"with a reason": {func(w *world) [][]byte { return [][]byte{w.entry(4)} }, Revoked, reason.RevocationRevoked, Superseded},
		"on hold":       {func(w *world) [][]byte { return [][]byte{w.entry(6)} }, Revoked, reason.RevocationRevoked, CertificateHold},
		"twice": {func(w *world) [][]byte {
			return [][]byte{w.entry(6), w.entry(4), w.entry(1), w.entry(6)}
		}, Revoked, reason.RevocationRevoked, KeyCompromise},
		"removed from a complete list": {func(w *world) [][]byte { return [][]byte{w.entry(8)} }, Unavailable, reason.RevocationCRLSyntax, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withCRL(crlURL))
			w.publish(w.crl(1, tc.entries(w)...))
			r := w.check()
			want(t, r, tc.status, tc.code)
			if r.Status != Unavailable && (r.Method != CRL || r.Source != crlURL || r.Reason != tc.why) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// attack: REV-02
func TestCRLRefused(t *testing.T) {
	t.Parallel()
	odd := pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}
	with := func(e pkix.Extension) func(*world, *testpki.CRL) {
		return func(_ *world, c *testpki.CRL) { c.Extensions = append(c.Extensions, e) }
	}
	yes := []byte{0xff}
	for name, tc := range map[string]struct {
		change func(*world, *testpki.CRL)
		code   reason.Code
	}{
		"another issuer": {func(w *world, c *testpki.CRL) { c.Issuer = w.leaf().RawSubject }, reason.RevocationCRLSigner},
		"SHA-1":          {func(_ *world, c *testpki.CRL) { c.Algorithm = x509.ECDSAWithSHA1 }, reason.RevocationAlgorithm},
		"the future":     {func(w *world, c *testpki.CRL) { c.ThisUpdate = w.now.Add(skew + time.Second) }, reason.RevocationCRLTime},
		"expired": {func(w *world, c *testpki.CRL) {
			c.ThisUpdate, c.NextUpdate = w.now.Add(-time.Hour), w.now.Add(-skew-time.Second)
		}, reason.RevocationCRLTime},
		"ends first":         {func(w *world, c *testpki.CRL) { c.NextUpdate = w.now.Add(-2 * time.Minute) }, reason.RevocationCRLTime},
		"no nextUpdate":      {func(_ *world, c *testpki.CRL) { c.NextUpdate = time.Time{} }, reason.RevocationCRLTime},
		"no number":          {func(_ *world, c *testpki.CRL) { c.Extensions = nil }, reason.RevocationCRLNumber},
		"negative number":    {func(_ *world, c *testpki.CRL) { c.Extensions[0] = testpki.CRLNumber(-1) }, reason.RevocationCRLSyntax},
		"version 1":          {func(_ *world, c *testpki.CRL) { c.Version = 1 }, reason.RevocationCRLSyntax},
		"version 3":          {func(_ *world, c *testpki.CRL) { c.Version = 3 }, reason.RevocationCRLSyntax},
		"critical extension": {with(odd), reason.RevocationCRLExtension},
		"critical extension in an entry of another": {func(w *world, c *testpki.CRL) {
			c.Entries = [][]byte{testpki.CRLEntry(big.NewInt(5), w.now, 1, odd)}
		}, reason.RevocationCRLExtension},
		"extension twice":    {with(testpki.CRLNumber(1)), reason.RevocationCRLSyntax},
		"other URI":          {with(testpki.IssuingPoint(testpki.PointName("http://crl.test/LIST.crl"))), reason.RevocationCRLScope},
		"only authorities":   {with(testpki.IssuingPoint(testpki.DER(0x82, yes))), reason.RevocationCRLScope},
		"only attributes":    {with(testpki.IssuingPoint(testpki.DER(0x85, yes))), reason.RevocationCRLScope},
		"indirect":           {with(testpki.IssuingPoint(testpki.DER(0x84, yes))), reason.RevocationCRLScope},
		"some reasons":       {with(testpki.IssuingPoint(testpki.DER(0x83, []byte{6, 0x40}))), reason.RevocationCRLScope},
		"relative name":      {with(testpki.IssuingPoint(testpki.DER(0xa0, testpki.DER(0xa1)))), reason.RevocationCRLScope},
		"bad point":          {with(testpki.IssuingPoint(testpki.DER(0x89, yes))), reason.RevocationCRLSyntax},
		"bad point name":     {with(testpki.IssuingPoint(testpki.DER(0xa0, testpki.DER(0x04)))), reason.RevocationCRLSyntax},
		"behind the point":   {with(pkix.Extension{Id: testpki.IssuingPoint().Id, Critical: true, Value: []byte{0x30, 0, 5, 0}}), reason.RevocationCRLSyntax},
		"no point reasons":   {with(testpki.IssuingPoint(testpki.DER(0x83, []byte{0}))), reason.RevocationCRLSyntax},
		"long point reasons": {with(testpki.IssuingPoint(testpki.DER(0x83, []byte{0, 0xff, 0x80, 0}))), reason.RevocationCRLSyntax},
		"bad point flag":     {with(testpki.IssuingPoint(testpki.DER(0x82))), reason.RevocationCRLSyntax},
		"bad point reasons":  {with(testpki.IssuingPoint(testpki.DER(0x83, []byte{9}))), reason.RevocationCRLSyntax},
		"delta, not asked":   {with(testpki.DeltaIndicator(1)), reason.RevocationCRLDelta},
		"delta of no base":   {with(testpki.DeltaIndicator(-1)), reason.RevocationCRLSyntax},
		"delta of two bases": {with(pkix.Extension{Id: testpki.DeltaIndicator(1).Id, Critical: true, Value: []byte{2, 1, 1, 2, 1, 1}}), reason.RevocationCRLSyntax},
		"two numbers":        {func(_ *world, c *testpki.CRL) { c.Extensions[0].Value = []byte{2, 1, 1, 2, 1, 1} }, reason.RevocationCRLSyntax},
		"bad entry":          {func(_ *world, c *testpki.CRL) { c.Entries = [][]byte{{0x04, 0}} }, reason.RevocationCRLSyntax},
		"entry without date": {func(_ *world, c *testpki.CRL) { c.Entries = [][]byte{testpki.DER(0x30, []byte{2, 1, 5})} }, reason.RevocationCRLSyntax},
		"behind an entry": {func(w *world, c *testpki.CRL) {
			c.Entries = [][]byte{testpki.DER(0x30, []byte{2, 1, 5}, testpki.Time(w.now), []byte{5, 0})}
		}, reason.RevocationCRLSyntax},
		"extension of an entry twice": {func(w *world, c *testpki.CRL) {
			c.Entries = [][]byte{testpki.CRLEntry(big.NewInt(5), w.now, -1, testpki.InvalidityDate(w.now), testpki.InvalidityDate(w.now))}
		}, reason.RevocationCRLSyntax},
		"overlong serial": {func(w *world, c *testpki.CRL) {
			c.Entries = [][]byte{testpki.DER(0x30, []byte{2, 2, 0, 5}, testpki.Time(w.now))}
		}, reason.RevocationCRLSyntax},
		"entry too long": {func(w *world, c *testpki.CRL) {
			c.Entries = [][]byte{testpki.CRLEntry(big.NewInt(5), w.now, 1, pkix.Extension{Id: odd.Id, Value: make([]byte, maxEntryBytes)})}
		}, reason.RevocationCRLSyntax},
		"bad reason": {func(w *world, c *testpki.CRL) {
			c.Entries = [][]byte{w.entry(-1, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 21}, Value: []byte{2, 1, 1}})}
		}, reason.RevocationCRLSyntax},
		"bad invalidityDate": {func(w *world, c *testpki.CRL) {
			c.Entries = [][]byte{w.entry(-1, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 24}, Value: testpki.Time(w.now)})}
		}, reason.RevocationCRLSyntax},
		"much beside the entries": {with(pkix.Extension{Id: odd.Id, Value: make([]byte, maxFrameBytes)}), reason.RevocationCRLSyntax},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withCRL(crlURL))
			c := w.crl(1)
			tc.change(w, &c)
			w.publish(c)
			want(t, w.check(), Unavailable, tc.code)
		})
	}
}

// attack: REV-02
func TestCRLOfAnotherKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withCRL(crlURL))
	w.net.bytes(crlURL, w.crl(1).Sign(t, w.chain.Key))
	want(t, w.check(), Unavailable, reason.RevocationCRLSigner)
}

// attack: REV-02
func TestCRLIssuerMayNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.chain = testpki.New(t, testpki.Options{Length: 2, Modify: func(position int, c *x509.Certificate) {
		if position == 0 {
			withCRL(crlURL)(c)
		} else {
			c.KeyUsage = x509.KeyUsageCertSign
		}
	}})
	w.publish(w.crl(1))
	want(t, w.check(), Unavailable, reason.RevocationCRLSigner)
}

// attack: REV-02
func TestCRLBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withCRL(crlURL))
	good := w.crl(1).Sign(t, w.caKey())
	for name, tc := range map[string]struct {
		body []byte
		code reason.Code
	}{
		"PEM":                   {pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: good}), reason.RevocationCRLSyntax},
		"nothing":               {nil, reason.RevocationCRLSyntax},
		"a page":                {[]byte("<html>"), reason.RevocationCRLSyntax},
		"trailing octet":        {append(bytes.Clone(good), 0), reason.RevocationCRLSyntax},
		"cut off":               {good[:len(good)-1], reason.RevocationCRLSyntax},
		"one byte over":         {make([]byte, MaxCRLBytes+1), reason.RevocationTooLarge},
		"at the limit, no list": {make([]byte, MaxCRLBytes), reason.RevocationCRLSyntax},
	} {
		w.net.bytes(crlURL, tc.body)
		r := w.check()
		if t.Logf("%s: %v", name, r.Err); true {
			want(t, r, Unavailable, tc.code)
		}
	}
	if _, _, err := newCRL(make([]byte, MaxCRLBytes+1), w.ca()); err == nil || err.Code != reason.RevocationTooLarge {
		t.Error(err)
	}
}

// Every prefix and every changed octet is refused.
func TestCRLDamaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.crl(1, w.entry(1, testpki.InvalidityDate(w.now)), testpki.CRLEntry(big.NewInt(5), w.now, -1))
	c.Extensions = append(c.Extensions, testpki.IssuingPoint(testpki.PointName(crlURL)), testpki.DeltaIndicator(1))
	raw := c.Sign(t, w.caKey())
	if _, _, err := newCRL(raw, w.ca()); err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		if _, _, err := newCRL(raw[:i], w.ca()); err == nil {
			t.Fatalf("%d of %d octets accepted", i, len(raw))
		}
		bad := bytes.Clone(raw)
		bad[i] ^= 1
		if _, _, err := newCRL(bad, w.ca()); err == nil {
			t.Fatalf("changed octet %d accepted", i)
		}
	}
}

func TestCRLScope(t *testing.T) {
	t.Parallel()
	yes := []byte{0xff}
	point := func(fields ...[]byte) leafOption {
		return withExtension(testpki.DistributionPoints(false, bytes.Join(fields, nil)))
	}
	name := testpki.PointName("ldap://x/", crlURL)
	for label, tc := range map[string]struct {
		leaf   leafOption
		scope  []byte
		entry  int // reason; below -1: none
		status Status
	}{
		"same URI":                {withCRL(crlURL), testpki.PointName("http://other.test/", crlURL), -2, Good},
		"shares another URI":      {point(name), testpki.PointName("ldap://x/"), -2, Good},
		"only users":              {withCRL(crlURL), testpki.DER(0x81, yes), -2, Good},
		"some reasons, revoked":   {withCRL(crlURL), testpki.DER(0x83, []byte{6, 0x40}), 1, Revoked},
		"all reasons":             {withCRL(crlURL), testpki.DER(0x83, []byte{7, 0xff, 0x80}), -2, Good},
		"point for some":          {point(name, testpki.DER(0x81, []byte{6, 0x40})), testpki.DER(0x81, yes), -2, Unavailable},
		"point of another signer": {point(name, testpki.DER(0xa2, testpki.DER(0x86, []byte("x")))), testpki.DER(0x81, yes), -2, Unavailable},
		"point without name":      {point(testpki.DER(0x81, []byte{6, 0x40})), testpki.DER(0x81, yes), -2, Unavailable},
	} {
		t.Run(label, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tc.leaf)
			c := w.crl(1)
			c.Extensions = append(c.Extensions, testpki.IssuingPoint(tc.scope))
			if tc.entry > -2 {
				c.Entries = [][]byte{w.entry(tc.entry)}
			}
			w.publish(c)
			r := w.check()
			if r.Status != tc.status {
				t.Fatalf("%v %v", r.Status, r.Err)
			}
		})
	}
}

// Two lists that each cover some reasons cover them all together.
func TestCRLReasonsAddUp(t *testing.T) {
	t.Parallel()
	for _, last := range []byte{0xff, 0xfe} {
		w := newWorld(t, withCRL(crlURL, "http://crl.test/second.crl"))
		one, two := w.crl(1), w.crl(1)
		one.Extensions = append(one.Extensions, testpki.IssuingPoint(testpki.DER(0x83, []byte{0, 0x40})))
		two.Extensions = append(two.Extensions, testpki.IssuingPoint(testpki.DER(0x83, []byte{7, last &^ 0x40, 0x80})))
		if last == 0xfe {
			two.Extensions[1] = testpki.IssuingPoint(testpki.DER(0x83, []byte{1, last &^ 0x40}))
		}
		w.publish(one)
		w.net.bytes("http://crl.test/second.crl", two.Sign(t, w.caKey()))
		if last == 0xff {
			want(t, w.check(), Good, "")
		} else {
			want(t, w.check(), Unavailable, reason.RevocationCRLScope)
		}
	}
}

// attack: REV-02
// attack: REV-03
func TestDelta(t *testing.T) {
	t.Parallel()
	none := -2
	for name, tc := range map[string]struct {
		base, delta int // reasons; none: no entry
		change      func(*testpki.CRL)
		status      Status
		why         Reason
		code        reason.Code
	}{
		"nothing in either":              {none, none, nil, Good, "", ""},
		"revoked by the delta":           {none, 1, nil, Revoked, KeyCompromise, reason.RevocationRevoked},
		"put on hold":                    {none, 6, nil, Revoked, CertificateHold, reason.RevocationRevoked},
		"taken back":                     {6, 8, nil, Good, "", ""},
		"hold becomes final":             {6, 1, nil, Revoked, KeyCompromise, reason.RevocationRevoked},
		"still on hold":                  {6, none, nil, Revoked, CertificateHold, reason.RevocationRevoked},
		"no hold to take back":           {1, 8, nil, Revoked, KeyCompromise, reason.RevocationRevoked},
		"taken back, never there":        {none, 8, nil, Good, "", ""},
		"delta for another base":         {none, none, func(c *testpki.CRL) { c.Extensions[1] = testpki.DeltaIndicator(11) }, Unavailable, "", reason.RevocationCRLDelta},
		"delta for another base, hold":   {6, 8, func(c *testpki.CRL) { c.Extensions[1] = testpki.DeltaIndicator(11) }, Revoked, CertificateHold, reason.RevocationRevoked},
		"delta for an older base":        {none, 1, func(c *testpki.CRL) { c.Extensions[1] = testpki.DeltaIndicator(9) }, Revoked, KeyCompromise, reason.RevocationRevoked},
		"delta older than the base":      {none, 1, func(c *testpki.CRL) { c.Extensions[0] = testpki.CRLNumber(10) }, Good, "", ""},
		"complete list instead":          {none, none, func(c *testpki.CRL) { c.Extensions = c.Extensions[:1] }, Unavailable, "", reason.RevocationCRLDelta},
		"another scope":                  {none, none, func(c *testpki.CRL) { c.Extensions = append(c.Extensions, testpki.IssuingPoint()) }, Unavailable, "", reason.RevocationCRLDelta},
		"expired":                        {none, none, func(c *testpki.CRL) { c.NextUpdate = c.ThisUpdate }, Good, "", ""},
		"expired for long":               {none, none, func(c *testpki.CRL) { c.ThisUpdate = c.ThisUpdate.Add(-48 * time.Hour); c.NextUpdate = c.ThisUpdate }, Unavailable, "", reason.RevocationCRLTime},
		"bad delta, revoked in the base": {4, none, func(c *testpki.CRL) { c.Extensions = nil }, Revoked, Superseded, reason.RevocationRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withCRL(crlURL))
			base, delta := w.crl(10), w.crl(12)
			base.Extensions = append(base.Extensions, testpki.DistributionPoints(true, testpki.PointName(deltaURL)))
			delta.Extensions = append(delta.Extensions, testpki.DeltaIndicator(10))
			if tc.base > none {
				base.Entries = [][]byte{w.entry(tc.base)}
			}
			if tc.delta > none {
				delta.Entries = [][]byte{w.entry(tc.delta)}
			}
			if tc.change != nil {
				tc.change(&delta)
			}
			w.publish(base)
			w.net.bytes(deltaURL, delta.Sign(t, w.caKey()))
			r := w.check()
			want(t, r, tc.status, tc.code)
			if r.Reason != tc.why {
				t.Errorf("%+v", r)
			}
		})
	}
}

// A delta that is ahead of a cached complete list makes us ask for a new one.
func TestDeltaNeedsNewBase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withCRL(crlURL), withExtension(testpki.DistributionPoints(true, testpki.PointName("ldap://x/", deltaURL))))
	checker := New(w.o)
	delta := func(base, number int64) {
		c := w.crl(number)
		c.Extensions = append(c.Extensions, testpki.DeltaIndicator(base))
		w.net.bytes(deltaURL, c.Sign(t, w.caKey()))
	}
	check := func() Result { return checker.Check(context.Background(), w.chain.Certs, Evidence{})[0] }
	w.publish(w.crl(1))
	delta(1, 2)
	want(t, check(), Good, "")
	want(t, check(), Good, "")
	if n := w.net.count(crlURL); n != 1 {
		t.Errorf("%d requests", n)
	}
	// The authority issues anew, and the cached delta ends.
	w.publish(w.crl(5, w.entry(1)))
	delta(5, 6)
	checker.store.(*memory).drop(string(kindCRL) + cacheKey(deltaURL, w.ca(), nil))
	want(t, check(), Revoked, reason.RevocationRevoked)
	if n := w.net.count(crlURL); n != 2 {
		t.Errorf("%d requests", n)
	}
}

// attack: REV-03
func TestAuthenticTime(t *testing.T) {
	t.Parallel()
	now := instant()
	at := now.Add(-2 * time.Hour) // of the revocation
	ago := func(h int) time.Time { return now.Add(-time.Duration(h) * time.Hour) }
	for name, tc := range map[string]struct {
		reason     int
		invalidity time.Time
		authentic  time.Time
		status     Status
		alone      Status // if who vouches for the time is of the chain itself
	}{
		"no authentic time":                     {4, time.Time{}, time.Time{}, Revoked, Revoked},
		"no authentic time, invalid since":      {1, ago(1), time.Time{}, Revoked, Revoked},
		"signed before, superseded":             {4, time.Time{}, ago(3), Good, Good},
		"signed before, affiliation":            {3, time.Time{}, ago(3), Good, Good},
		"signed before, ceased":                 {5, time.Time{}, ago(3), Good, Good},
		"signed before, withdrawn":              {9, time.Time{}, ago(3), Good, Revoked},
		"signed before, unspecified as reason":  {0, time.Time{}, ago(3), Good, Good},
		"signed before, no reason":              {-1, time.Time{}, ago(3), Revoked, Revoked},
		"signed before, key compromised":        {1, time.Time{}, ago(3), Revoked, Revoked},
		"signed before, authority compromised":  {2, time.Time{}, ago(3), Revoked, Revoked},
		"signed before, attribute authority":    {10, time.Time{}, ago(3), Revoked, Revoked},
		"signed before, hold":                   {6, time.Time{}, ago(3), Revoked, Revoked},
		"signed before, unknown reason":         {7, time.Time{}, ago(3), Revoked, Revoked},
		"signed at the second":                  {4, time.Time{}, at, Revoked, Revoked},
		"signed after":                          {4, time.Time{}, ago(1), Revoked, Revoked},
		"signed before the key was compromised": {1, ago(3), ago(4), Good, Revoked},
		"at the second of the compromise":       {1, ago(3), ago(3), Revoked, Revoked},
		"between compromise and revocation":     {4, ago(4), ago(3), Revoked, Revoked},
		"invalid only after the revocation":     {1, ago(0), ago(1), Revoked, Revoked},
		"no reason, invalid since":              {-1, ago(3), ago(4), Good, Revoked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withCRL(crlURL))
			var extra []pkix.Extension
			if !tc.invalidity.IsZero() {
				extra = []pkix.Extension{testpki.InvalidityDate(tc.invalidity)}
			}
			w.publish(w.crl(1, testpki.CRLEntry(w.leaf().SerialNumber, at, tc.reason, extra...)))
			r := w.checkWith(Evidence{Authentic: tc.authentic, Independent: true})
			want(t, r, tc.status, reason.RevocationRevoked)
			want(t, w.checkWith(Evidence{Authentic: tc.authentic}), tc.alone, reason.RevocationRevoked)
			if !r.RevokedAt.Equal(at) || !r.InvalidityDate.Equal(tc.invalidity) {
				t.Errorf("%+v", r)
			}

			o := newWorld(t, withOCSP(ocspURL))
			response := o.good()
			response.Singles[0].Status = testpki.OCSPRevoked(at, tc.reason)
			response.Singles[0].Extensions = extra
			o.respond(response)
			r = o.checkWith(Evidence{Authentic: tc.authentic, Independent: true})
			want(t, r, tc.status, reason.RevocationRevoked)
			want(t, o.checkWith(Evidence{Authentic: tc.authentic}), tc.alone, reason.RevocationRevoked)
			if !r.RevokedAt.Equal(at) || !r.InvalidityDate.Equal(tc.invalidity) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// crypto/x509 refuses a certificate with such points, but reads no freshestCRL.
func TestPointsRefused(t *testing.T) {
	t.Parallel()
	name := testpki.PointName(crlURL)
	for label, points := range map[string][]byte{
		"no sequence":      {4, 0},
		"something behind": {0x30, 0, 0},
		"no point":         testpki.DER(0x30, []byte{4, 0}),
		"bad name":         testpki.DER(0x30, testpki.DER(0x30, testpki.DER(0xa0, []byte{4, 0}))),
		"cut off name":     testpki.DER(0x30, testpki.DER(0x30, []byte{0xa0, 5})),
		"bad general name": testpki.DER(0x30, testpki.DER(0x30, testpki.DER(0xa0, testpki.DER(0xa0, []byte{0x86, 9})))),
		"bad full name":    testpki.DER(0x30, testpki.DER(0x30, testpki.DER(0xa0, []byte{0xa0, 9}))),
		"bad reasons":      testpki.DER(0x30, testpki.DER(0x30, name, testpki.DER(0x81))),
		"bad issuer":       testpki.DER(0x30, testpki.DER(0x30, name, []byte{0xa2, 9})),
		"unknown field":    testpki.DER(0x30, testpki.DER(0x30, name, testpki.DER(0xa5))),
	} {
		if got, ok := parsePoints(points); ok {
			t.Errorf("%s: %+v", label, got)
		}
	}
	relative := testpki.DER(0x30, testpki.DER(0x30, testpki.DER(0xa0, testpki.DER(0xa1))))
	if got, ok := parsePoints(relative); !ok || len(got) != 1 || got[0].urls != nil {
		t.Errorf("%+v", got)
	}
}
