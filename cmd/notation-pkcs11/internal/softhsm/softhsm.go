// Package softhsm gives tests tokens that speak real PKCS #11: those of SoftHSM,
// which keeps keys in files. No product code imports it.
//
// [Main] makes a store for the test process, [New] a token in it. Keys and
// certificates come from package testpki, so no test waits for a key to be made.
//
// Whoever reads in SoftHSM's files while somebody writes there finds half a token
// or crashes, and the writer may fail, too. So whatever changes the store does so
// alone, as a program does that logs in: under the lock in [LockDir]. A test must
// not change it while it looks under that lock itself.
package softhsm

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gofrs/flock"
	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
)

// The PINs of all tokens.
const (
	PIN   = "123456"
	SOPIN = "87654321"
)

// Module returns the path of SoftHSM's module, or "" if it is not installed.
func Module() string {
	for _, path := range []string{
		"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so",
		"/usr/local/lib/softhsm/libsofthsm2.so", "/opt/homebrew/lib/softhsm/libsofthsm2.so",
	} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// One store for the process: SoftHSM reads its configuration once.
var (
	mu    sync.Mutex
	ctx   *pkcs11.Ctx
	store string
)

// Main runs the tests of a package with a store of their own.
func Main(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "softhsm")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	store = filepath.Join(dir, "tokens")
	conf := filepath.Join(dir, "softhsm2.conf")
	err = errors.Join(
		os.Mkdir(store, 0o700),
		os.WriteFile(conf, fmt.Appendf(nil, "directories.tokendir = %s\nlog.level = ERROR\n", store), 0o600),
		os.Setenv("SOFTHSM2_CONF", conf), os.Setenv("NOTATION_CACHE", filepath.Join(dir, "cache")),
		os.Unsetenv("NOTATION_PKCS11_PIN"), os.Unsetenv("NOTATION_PKCS11_MODULE"),
	)
	if err != nil {
		return 0, err
	}
	if path := Module(); path != "" {
		if ctx = pkcs11.New(path); ctx == nil {
			return 0, errors.New("SoftHSM cannot be loaded")
		}
		if err := ctx.Initialize(); err != nil {
			return 0, err
		}
	}
	return m.Run(), nil
}

// Need skips the test if SoftHSM is not installed, or fails it in CI.
func Need(t testing.TB) string {
	t.Helper()
	path := Module()
	if path == "" && os.Getenv("CI") == "true" {
		t.Fatal("SoftHSM is not installed, and needed here because CI is true; test/setup installs it")
	}
	if path == "" {
		t.Skip("not run: SoftHSM is not installed; test/setup installs it")
	}
	return path
}

// Token is a new token with a user PIN, logged out.
type Token struct {
	Label, Serial string
	Slot          uint

	dir string
}

// LockDir is where programs have their locks that use the process's environment.
func LockDir() string { return filepath.Join(os.Getenv("NOTATION_CACHE"), "pkcs11") }

// Alone changes the store, or has it changed, while nobody looks.
func Alone(t testing.TB, change func()) {
	t.Helper()
	mu.Lock()
	defer mu.Unlock()
	guard := pin.ForModule(LockDir(), Module())
	defer guard.Done()
	// A token is removed when the test's own context has ended.
	check(t, guard.Alone(context.WithoutCancel(t.Context()), func() error { change(); return nil }))
}

// Unlocked fails the test if somebody has one of the locks in a directory.
func Unlocked(t testing.TB, dir string) {
	t.Helper()
	locks := must(filepath.Glob(filepath.Join(dir, "*.lock")))(t)
	if len(locks) == 0 {
		t.Error("there are no locks")
	}
	for _, path := range locks {
		lock := flock.New(path)
		if free := must(lock.TryLock())(t); !free {
			t.Errorf("%s is locked", path)
		}
		check(t, lock.Unlock())
	}
}

// New makes a token. The label should be the test's own.
func New(t testing.TB, label string) *Token {
	t.Helper()
	Need(t)
	token := &Token{Label: label}
	Alone(t, func() { token.make(t) })
	t.Cleanup(func() { token.Remove(t) })
	return token
}

func (k *Token) make(t testing.TB) {
	t.Helper()
	before := must(tokens())(t)
	check(t, ctx.InitToken(before[""], SOPIN, k.Label))
	for serial, slot := range must(tokens())(t) {
		if _, old := before[serial]; !old {
			k.Slot, k.Serial = slot, serial
		}
	}
	h := must(ctx.OpenSession(k.Slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION))(t)
	check(t, ctx.Login(h, pkcs11.CKU_SO, SOPIN))
	check(t, ctx.InitPIN(h, PIN))
	check(t, ctx.CloseAllSessions(k.Slot))
	k.dir = must(directory(k.Serial))(t)
}

// tokens returns the slots by the serial numbers of their tokens; "" is the free
// slot that SoftHSM always has. Removed tokens are not among them.
func tokens() (map[string]uint, error) {
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		return nil, err
	}
	found := map[string]uint{}
	for _, slot := range slots {
		info, err := ctx.GetTokenInfo(slot)
		switch {
		case err != nil:
		case info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0:
			found[""] = slot
		default:
			found[info.SerialNumber] = slot
		}
	}
	if _, ok := found[""]; !ok {
		return nil, errors.New("SoftHSM has no free slot")
	}
	return found, nil
}

// Object says how a key is stored. Its zero value is a private key that may
// sign, its public key and its certificates.
type Object struct {
	ID            byte
	Label         string // of the private key
	PublicLabel   string // default Label
	NoPublic      bool
	NoPrivate     bool
	MayNotSign    bool
	Always        bool // CKA_ALWAYS_AUTHENTICATE
	PrivateCerts  bool // visible after a login only
	BarePoint     bool
	ExtraTemplate []*pkcs11.Attribute
}

// Put stores a key and certificates, of which the first gets the key's id.
func (k *Token) Put(t testing.TB, o Object, key crypto.Signer, certs ...*x509.Certificate) {
	t.Helper()
	Alone(t, func() { k.put(t, o, key, certs) })
}

func (k *Token) put(t testing.TB, o Object, key crypto.Signer, certs []*x509.Certificate) {
	t.Helper()
	h := must(ctx.OpenSession(k.Slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION))(t)
	check(t, ctx.Login(h, pkcs11.CKU_USER, PIN))
	defer func() { check(t, ctx.CloseAllSessions(k.Slot)) }()
	create := func(template []*pkcs11.Attribute) { must(ctx.CreateObject(h, template))(t) }
	if key != nil && !o.NoPrivate {
		create(o.private(key))
	}
	if key != nil && !o.NoPublic {
		create(o.public(key))
	}
	for i, cert := range certs {
		id := []byte{o.ID}
		if i > 0 {
			id = []byte{0xca, byte(i)}
		}
		create([]*pkcs11.Attribute{
			attribute(pkcs11.CKA_CLASS, pkcs11.CKO_CERTIFICATE), attribute(pkcs11.CKA_CERTIFICATE_TYPE, pkcs11.CKC_X_509),
			attribute(pkcs11.CKA_TOKEN, true), attribute(pkcs11.CKA_PRIVATE, o.PrivateCerts), attribute(pkcs11.CKA_ID, id),
			attribute(pkcs11.CKA_LABEL, o.Label), attribute(pkcs11.CKA_SUBJECT, cert.RawSubject), attribute(pkcs11.CKA_VALUE, cert.Raw),
		})
	}
}

func (o Object) private(key crypto.Signer) []*pkcs11.Attribute {
	template := append([]*pkcs11.Attribute{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), attribute(pkcs11.CKA_TOKEN, true), attribute(pkcs11.CKA_PRIVATE, true),
		attribute(pkcs11.CKA_SENSITIVE, true), attribute(pkcs11.CKA_ID, []byte{o.ID}), attribute(pkcs11.CKA_LABEL, o.Label),
		attribute(pkcs11.CKA_SIGN, !o.MayNotSign), attribute(pkcs11.CKA_ALWAYS_AUTHENTICATE, o.Always),
	}, o.ExtraTemplate...)
	if k, ok := key.(*ecdsa.PrivateKey); ok {
		d, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		return append(template, attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC), attribute(pkcs11.CKA_EC_PARAMS, curveOf(k.Curve)), attribute(pkcs11.CKA_VALUE, d))
	}
	k := key.(*rsa.PrivateKey)
	k.Precompute()
	return append(template, attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA), attribute(pkcs11.CKA_MODULUS, k.N.Bytes()),
		attribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}), attribute(pkcs11.CKA_PRIVATE_EXPONENT, k.D.Bytes()),
		attribute(pkcs11.CKA_PRIME_1, k.Primes[0].Bytes()), attribute(pkcs11.CKA_PRIME_2, k.Primes[1].Bytes()),
		attribute(pkcs11.CKA_EXPONENT_1, k.Precomputed.Dp.Bytes()), attribute(pkcs11.CKA_EXPONENT_2, k.Precomputed.Dq.Bytes()),
		attribute(pkcs11.CKA_COEFFICIENT, k.Precomputed.Qinv.Bytes()))
}

func (o Object) public(key crypto.Signer) []*pkcs11.Attribute {
	label := o.PublicLabel
	if label == "" {
		label = o.Label
	}
	template := []*pkcs11.Attribute{
		attribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), attribute(pkcs11.CKA_TOKEN, true), attribute(pkcs11.CKA_PRIVATE, false),
		attribute(pkcs11.CKA_ID, []byte{o.ID}), attribute(pkcs11.CKA_LABEL, label), attribute(pkcs11.CKA_VERIFY, true),
	}
	switch k := key.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err == nil && !o.BarePoint {
			point, err = asn1.Marshal(point)
		}
		if err != nil {
			panic(err)
		}
		return append(template, attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_EC), attribute(pkcs11.CKA_EC_PARAMS, curveOf(k.Curve)), attribute(pkcs11.CKA_EC_POINT, point))
	case *rsa.PublicKey:
		return append(template, attribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_RSA), attribute(pkcs11.CKA_MODULUS, k.N.Bytes()), attribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	}
	panic("no such key")
}

func curveOf(curve elliptic.Curve) []byte {
	der, err := asn1.Marshal(map[string]asn1.ObjectIdentifier{
		"P-224": {1, 3, 132, 0, 33}, "P-256": {1, 2, 840, 10045, 3, 1, 7}, "P-384": {1, 3, 132, 0, 34}, "P-521": {1, 3, 132, 0, 35},
	}[curve.Params().Name])
	if err != nil {
		panic(err)
	}
	return der
}

// SetFlag sets a flag in the token's file, as a token does by itself after
// wrong PINs; SoftHSM never locks one. Processes that start later see it.
func (k *Token) SetFlag(t testing.TB, flag uint) {
	t.Helper()
	Alone(t, func() { k.setFlag(t, flag) })
}

func (k *Token) setFlag(t testing.TB, flag uint) {
	t.Helper()
	path := filepath.Join(k.dir, "token.object")
	data := must(os.ReadFile(path))(t)
	// The vendor attribute CKA_OS_TOKENFLAGS, of the kind number.
	at := bytes.Index(data, []byte{0x80, 0, 0x53, 0x4b, 0, 0, 0, 0, 0, 0, 0, 2})
	if at < 0 {
		t.Fatal("the token's file has no flags")
	}
	value := data[at+12 : at+20]
	binary.BigEndian.PutUint64(value, binary.BigEndian.Uint64(value)|uint64(flag))
	check(t, os.WriteFile(path, data, 0o600))
}

// Remove takes the token away, as if it were pulled out. Another process that uses
// it may be about to write into its directory, and so that goes out of the way
// first.
func (k *Token) Remove(t testing.TB) {
	t.Helper()
	Alone(t, func() { k.remove(t) })
}

func (k *Token) remove(t testing.TB) {
	t.Helper()
	aside := filepath.Join(filepath.Dir(store), "removed-"+filepath.Base(k.dir))
	if err := os.Rename(k.dir, aside); !errors.Is(err, fs.ErrNotExist) {
		check(t, err)
	}
	check(t, os.RemoveAll(aside))
}

// directory finds the directory of a token by its serial number. Others may be
// removed meanwhile.
func directory(serial string) (string, error) {
	files, err := filepath.Glob(filepath.Join(store, "*", "token.object"))
	if err != nil {
		return "", err
	}
	for _, file := range files {
		if data, err := os.ReadFile(file); err == nil && bytes.Contains(data, []byte(serial)) {
			return filepath.Dir(file), nil
		}
	}
	return "", fmt.Errorf("the token %s has no directory", serial)
}

func attribute(kind uint, value any) *pkcs11.Attribute { return pkcs11.NewAttribute(kind, value) }

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		check(t, err)
		return v
	}
}
