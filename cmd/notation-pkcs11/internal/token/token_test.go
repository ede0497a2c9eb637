package token

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/pin"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/softhsm"
	"github.com/notaryv2/notation/cmd/notation-pkcs11/internal/uri"
	"github.com/notaryv2/notation/envelope"
	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
)

func TestMain(m *testing.M) { softhsm.Main(m) }

// meddler is SoftHSM with what it does not do by itself.
type meddler struct {
	cryptoki
	logins     atomic.Int64
	token      func(*pkcs11.TokenInfo)
	loginErr   error                  // in place of logging in
	again      func(pin string) error // for CKU_CONTEXT_SPECIFIC
	fail       map[string]error       // by the name of the function
	failMu     sync.Mutex
	attributes func(kind uint, value []byte) []byte
}

func (m *meddler) failed(name string) error {
	m.failMu.Lock()
	defer m.failMu.Unlock()
	return m.fail[name]
}

func (m *meddler) set(name string, err error) {
	m.failMu.Lock()
	defer m.failMu.Unlock()
	if m.fail == nil {
		m.fail = map[string]error{}
	}
	m.fail[name] = err
}

func (m *meddler) GetTokenInfo(slot uint) (pkcs11.TokenInfo, error) {
	if err := m.failed("GetTokenInfo"); err != nil {
		return pkcs11.TokenInfo{}, err
	}
	info, err := m.cryptoki.GetTokenInfo(slot)
	if m.token != nil {
		m.token(&info)
	}
	return info, err
}

func (m *meddler) Login(h pkcs11.SessionHandle, user uint, pin string) error {
	m.logins.Add(1)
	switch {
	case user == pkcs11.CKU_CONTEXT_SPECIFIC && m.again != nil:
		return m.again(pin)
	case m.loginErr != nil:
		return m.loginErr
	}
	return m.cryptoki.Login(h, user, pin)
}

func (m *meddler) OpenSession(slot, flags uint) (pkcs11.SessionHandle, error) {
	if err := m.failed("OpenSession"); err != nil {
		return 0, err
	}
	return m.cryptoki.OpenSession(slot, flags)
}

func (m *meddler) FindObjectsInit(h pkcs11.SessionHandle, template []*pkcs11.Attribute) error {
	if err := m.failed("FindObjectsInit"); err != nil {
		return err
	}
	return m.cryptoki.FindObjectsInit(h, template)
}

func (m *meddler) FindObjects(h pkcs11.SessionHandle, most int) ([]pkcs11.ObjectHandle, bool, error) {
	if err := m.failed("FindObjects"); err != nil {
		return nil, false, err
	}
	return m.cryptoki.FindObjects(h, most)
}

func (m *meddler) FindObjectsFinal(h pkcs11.SessionHandle) error {
	return errors.Join(m.cryptoki.FindObjectsFinal(h), m.failed("FindObjectsFinal"))
}

func (m *meddler) GetAttributeValue(h pkcs11.SessionHandle, o pkcs11.ObjectHandle, a []*pkcs11.Attribute) ([]*pkcs11.Attribute, error) {
	values, err := m.cryptoki.GetAttributeValue(h, o, a)
	if err == nil && m.attributes != nil {
		values[0].Value = m.attributes(a[0].Type, values[0].Value)
	}
	return values, err
}

func (m *meddler) Sign(h pkcs11.SessionHandle, data []byte) ([]byte, error) {
	if err := m.failed("Sign"); err != nil {
		return nil, err
	}
	signature, err := m.cryptoki.Sign(h, data)
	if m.failed("cut") != nil {
		signature = signature[:len(signature)-1]
	}
	return signature, err
}

func (m *meddler) GetSlotList(present bool) ([]uint, error) {
	if err := m.failed("GetSlotList"); err != nil {
		return nil, err
	}
	return m.cryptoki.GetSlotList(present)
}

func (m *meddler) GetInfo() (pkcs11.Info, error) {
	if err := m.failed("GetInfo"); err != nil {
		return pkcs11.Info{}, err
	}
	return m.cryptoki.GetInfo()
}

// load returns SoftHSM, through a meddler.
func load(t testing.TB) (*Module, *meddler) {
	t.Helper()
	m, err := Load(t.Context(), softhsm.Need(t), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	meddling := &meddler{cryptoki: m.c}
	m.c = meddling
	return m, meddling
}

// withPIN is a PIN from the environment.
func withPIN(value string) pin.Source { return pin.Source{Env: value} }

func parse(t testing.TB, s string) *uri.URI {
	t.Helper()
	u, err := uri.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// open returns the key of a URI, or the error of whatever comes first.
func open(t testing.TB, m *Module, s string, o pin.Source) (*Key, error) {
	t.Helper()
	u := parse(t, s)
	token, err := m.Open(u, o)
	if err != nil {
		return nil, err
	}
	t.Cleanup(token.Close)
	return token.Key(t.Context(), u)
}

func refuses(t testing.TB, err error, code reason.Code, texts ...string) {
	t.Helper()
	if reason.Of(err) != code {
		t.Fatalf("error %v has the code %q, want %q", err, reason.Of(err), code)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v does not say %q", err, text)
		}
	}
	if reason.Hint(err) == "" && code != reason.TokenKeyAlgorithm {
		t.Errorf("%v has no hint", err)
	}
}

// sign has a key sign as the plugin does, and checks the signature.
func sign(ctx context.Context, k *Key, message string) error {
	alg, err := envelope.AlgorithmFor(k.Public())
	if err != nil {
		return err
	}
	signature, err := envelope.SignPrimitive(k.Signer(ctx), alg, []byte(message))
	if err != nil {
		return err
	}
	return envelope.VerifyPrimitive(alg, k.Public(), []byte(message), signature)
}

func TestSixKinds(t *testing.T) {
	t.Parallel()
	m, _ := load(t)
	token := softhsm.New(t, "six kinds")
	for i, algorithm := range testpki.Algorithms() {
		chain := testpki.New(t, testpki.Options{Algorithm: algorithm, CAAlgorithm: "ec-256"})
		token.Put(t, softhsm.Object{ID: byte(i + 1), Label: algorithm}, chain.Key, chain.Certs...)
	}
	for _, algorithm := range testpki.Algorithms() {
		k, err := open(t, m, "pkcs11:token=six%20kinds;object="+algorithm, withPIN(softhsm.PIN))
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		certs, err := k.Certificates(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		chain, err := Chain(k.Public(), certs, time.Now())
		if err != nil || len(chain) != 3 {
			t.Fatalf("%s: %d certificates, %v", algorithm, len(chain), err)
		}
		if err := sign(t.Context(), k, algorithm); err != nil {
			t.Errorf("%s: %v", algorithm, err)
		}
	}
}

// TestParallel makes a thousand signatures with one login.
func TestParallel(t *testing.T) {
	t.Parallel()
	m, meddling := load(t)
	token := softhsm.New(t, "parallel")
	for i, algorithm := range []string{"ec-256", "rsa-2048"} {
		token.Put(t, softhsm.Object{ID: byte(i + 1)}, testpki.Key(t, algorithm, 0))
	}
	u := parse(t, "pkcs11:token=parallel;id=%01")
	opened, err := m.Open(u, withPIN(softhsm.PIN))
	if err != nil {
		t.Fatal(err)
	}
	ec, err := opened.Key(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := opened.Key(t.Context(), parse(t, "pkcs11:id=%02"))
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 1000 {
		k := ec
		if i%10 == 0 {
			k = rsaKey
		}
		group.Go(func() {
			if err := sign(t.Context(), k, "message"); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := meddling.logins.Load(); n != 1 {
		t.Errorf("%d logins", n)
	}
	if n := len(opened.sessions.idle); n > maxSessions {
		t.Errorf("%d sessions", n)
	}
	opened.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range maxSessions {
		opened.sessions.room <- struct{}{}
	}
	refuses(t, sign(ctx, ec, "late"), reason.TokenInterrupted)
}

func TestChoosingTokens(t *testing.T) {
	t.Parallel()
	m, meddling := load(t)
	one := softhsm.New(t, "choose")
	two := softhsm.New(t, "choose ")
	_ = two
	u := func(s string) string { return "pkcs11:" + s }
	for s, code := range map[string]reason.Code{
		u("token=choose"):                      reason.TokenAmbiguous,
		u(""):                                  reason.TokenAmbiguous,
		u("token=choose;serial=" + one.Serial): "",
		u("serial=" + one.Serial + ";manufacturer=SoftHSM%20project"):                         "",
		u("serial=" + one.Serial + ";manufacturer=other"):                                     reason.TokenMissing,
		u("serial=" + one.Serial + ";model=SoftHSM%20v2;slot-manufacturer=SoftHSM%20project"): "",
		u("serial=" + one.Serial + ";slot-id=1"):                                              reason.TokenMissing,
		u("serial=" + one.Serial + ";library-version=2"):                                      reason.TokenMissing,
		u("serial=" + one.Serial + ";library-manufacturer=SoftHSM"):                           "",
		u("serial=" + one.Serial + ";library-description=other"):                              reason.TokenMissing,
		u("token=nobody"): reason.TokenMissing,
	} {
		if _, err := m.Open(parse(t, s), pin.Source{}); reason.Of(err) != code {
			t.Errorf("%s: %v", s, err)
		}
	}
	meddling.token = func(info *pkcs11.TokenInfo) { info.Flags = 0 }
	_, err := m.Open(parse(t, "pkcs11:"), pin.Source{})
	refuses(t, err, reason.TokenMissing, "has no token")
	meddling.set("GetTokenInfo", pkcs11.Error(pkcs11.CKR_TOKEN_NOT_PRESENT))
	_, err = m.Open(parse(t, "pkcs11:"), pin.Source{})
	refuses(t, err, reason.TokenMissing)
	meddling.set("GetSlotList", pkcs11.Error(pkcs11.CKR_GENERAL_ERROR))
	_, err = m.Open(parse(t, "pkcs11:"), pin.Source{})
	refuses(t, err, reason.TokenModule)
	if _, err := m.Tokens(pin.Source{}); reason.Of(err) != reason.TokenModule {
		t.Error(err)
	}
	if got := names(make([]slotted, 7)); !strings.HasSuffix(got, "and 2 more") {
		t.Errorf("%s", got)
	}
}

func TestChoosingKeys(t *testing.T) {
	t.Parallel()
	m, _ := load(t)
	token := softhsm.New(t, "keys")
	at := "pkcs11:token=keys;"
	keys := make([]crypto.Signer, 9)
	for i := range keys {
		keys[i] = testpki.Key(t, "ec-256", i)
	}
	self := testpki.New(t, testpki.Options{Length: 1})
	token.Put(t, softhsm.Object{ID: 1, Label: "one"}, keys[0])
	token.Put(t, softhsm.Object{ID: 2, Label: "same", BarePoint: false}, keys[1])
	token.Put(t, softhsm.Object{ID: 3, Label: "same"}, keys[2])
	token.Put(t, softhsm.Object{ID: 4, Label: "public only", NoPrivate: true}, keys[3])
	token.Put(t, softhsm.Object{ID: 5, Label: "certificate only", NoPublic: true}, self.Key, self.Certs...)
	token.Put(t, softhsm.Object{ID: 6, Label: "hidden", NoPublic: true}, keys[4])
	token.Put(t, softhsm.Object{ID: 7, Label: "private label", PublicLabel: "public label"}, keys[5])
	token.Put(t, softhsm.Object{ID: 8, Label: "may not", MayNotSign: true}, keys[6])
	token.Put(t, softhsm.Object{ID: 9, Label: "mixed", NoPublic: true}, keys[7])
	token.Put(t, softhsm.Object{ID: 10, Label: "mixed", NoPrivate: true}, keys[8])
	token.Put(t, softhsm.Object{ID: 11, Label: "weak"}, testpki.WeakKey(t, "ec-224"))
	token.Put(t, softhsm.Object{ID: 12, Label: "short"}, testpki.WeakKey(t, "rsa-1024"))
	token.Put(t, softhsm.Object{ID: 13, Label: "rsa hidden", NoPublic: true}, testpki.Key(t, "rsa-2048", 0))
	for s, want := range map[string]struct{ find, sign reason.Code }{
		at + "object=one":                {"", ""},
		at + "id=%01;type=private":       {"", ""},
		at + "object=same":               {reason.TokenKeyAmbiguous, ""},
		at + "object=same;id=%03":        {"", ""},
		at + "object=nothing":            {reason.TokenKeyMissing, ""},
		at + "object=public%20only":      {"", reason.TokenKeyMissing},
		at + "id=%05":                    {"", ""},
		at + "id=%06":                    {reason.TokenKeyAlgorithm, ""},
		at + "object=private%20label":    {"", ""},
		at + "object=public%20label":     {"", reason.TokenKeyMissing},
		at + "id=%08":                    {"", reason.TokenKeyForbidden},
		at + "object=weak":               {reason.TokenKeyAlgorithm, ""},
		at + "id=%0c":                    {reason.TokenKeyAlgorithm, ""},
		at + "id=%0d":                    {"", ""},
		strings.TrimSuffix(at, ";"):      {reason.TokenKeyAmbiguous, ""},
		at + "object=mixed;id=%0a":       {"", reason.TokenKeyMissing},
		at + "object=certificate%20only": {"", ""},
	} {
		t.Run(s, func(t *testing.T) {
			k, err := open(t, m, s, withPIN(softhsm.PIN))
			if want.find != "" {
				refuses(t, err, want.find)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := sign(t.Context(), k, s); reason.Of(err) != want.sign || want.sign == "" && err != nil {
				t.Errorf("%v, want %q", err, want.sign)
			}
		})
	}
	if got := listed(make([]object, 7)); !strings.HasSuffix(got, "and 2 more") {
		t.Errorf("%s", got)
	}
}

// TestMismatch has a public key that is not the private key's.
func TestMismatch(t *testing.T) {
	t.Parallel()
	m, _ := load(t)
	token := softhsm.New(t, "mismatch")
	token.Put(t, softhsm.Object{ID: 1, NoPublic: true}, testpki.Key(t, "rsa-2048", 0))
	token.Put(t, softhsm.Object{ID: 1, NoPrivate: true}, testpki.Key(t, "rsa-2048", 1))
	k, err := open(t, m, "pkcs11:token=mismatch", withPIN(softhsm.PIN))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		refuses(t, sign(t.Context(), k, "m"), reason.TokenKeyAmbiguous, "do not belong together")
	}
}

func TestUnsupportedSignatures(t *testing.T) {
	t.Parallel()
	digest := make([]byte, 32)
	key := testpki.Key(t, "rsa-2048", 0).Public()
	for name, opts := range map[string]crypto.SignerOpts{
		"PKCS #1 v1.5": crypto.SHA256,
		"long salt":    &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256},
		"other digest": &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA512},
		"other hash":   &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA3_256},
	} {
		_, err := bound{t.Context(), &Key{public: key}}.Sign(nil, digest, opts)
		if reason.Of(err) != reason.TokenKeyAlgorithm {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// attack: KEY-09
func TestModules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text.so")
	open := filepath.Join(dir, "open.so")
	loose := filepath.Join(dir, "loose")
	for _, err := range []error{
		os.WriteFile(text, []byte("no library"), 0o644), os.WriteFile(open, nil, 0o644), os.Chmod(open, 0o666),
		os.Mkdir(loose, 0o755), os.Chmod(loose, 0o777), os.WriteFile(filepath.Join(loose, "m.so"), nil, 0o644),
		os.Symlink(filepath.Join(loose, "m.so"), filepath.Join(dir, "linked.so")), os.Symlink("loop.so", filepath.Join(dir, "loop.so")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, says := range map[string]string{
		"libsofthsm2.so":                "absolute",
		filepath.Join(dir, "gone.so"):   "no such file",
		dir:                             "no regular file",
		text:                            "can be loaded",
		open:                            "any user may change",
		filepath.Join(loose, "m.so"):    "any user may change",
		filepath.Join(dir, "linked.so"): "any user may change", // where it leads to
		filepath.Join(dir, "loop.so"):   "too many levels",
	} {
		_, err := Load(t.Context(), path, "")
		refuses(t, err, reason.TokenModule, says)
	}
	m, meddling := load(t)
	if m.Path() != softhsm.Module() || m.Close() != nil {
		t.Error("a module that is shared must be left as it is")
	}
	meddling.set("GetInfo", pkcs11.Error(pkcs11.CKR_GENERAL_ERROR))
	_, err := newModule(meddling, "/m")
	refuses(t, err, reason.TokenModule)
	closing := &Module{c: finalizer{}, guard: pin.NewGuard("", "m")}
	if err := closing.Close(); err == nil {
		t.Error("an error was lost")
	}
}

// finalizer cannot be ended.
type finalizer struct{ cryptoki }

func (finalizer) Finalize() error { return pkcs11.Error(pkcs11.CKR_GENERAL_ERROR) }

func certsOf(chains ...*testpki.Chain) []*x509.Certificate {
	var all []*x509.Certificate
	for _, c := range chains {
		all = append(all, c.Certs...)
	}
	return all
}
