package trust_test

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/trust"
)

var (
	caAcme = trust.StoreRef{Type: trust.CA, Name: "acme"}
	saAcme = trust.StoreRef{Type: trust.SigningAuthority, Name: "acme"}
	tsAcme = trust.StoreRef{Type: trust.TSA, Name: "acme"}
)

func file(data []byte) *fstest.MapFile { return &fstest.MapFile{Data: data, Mode: 0o644} }

func TestStoreFiles(t *testing.T) {
	t.Parallel()
	one, two := testpki.New(t, testpki.Options{Name: "one"}), testpki.New(t, testpki.Options{Name: "two", KeySet: 1})
	r1, r2 := one.Root(), two.Root()
	single := testpki.New(t, testpki.Options{Length: 1}).Leaf()
	link := func(target string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(target), Mode: fs.ModeSymlink | 0o777}
	}
	special := func(mode fs.FileMode) *fstest.MapFile { return &fstest.MapFile{Mode: mode | 0o644} }
	for name, tt := range map[string]struct {
		ref      trust.StoreRef // zero: ca:acme
		fsys     fstest.MapFS
		want     []*x509.Certificate
		code     reason.Code
		inError  string
		warnings []reason.Code
	}{
		"DER":                {fsys: fstest.MapFS{"ca/acme/r.crt": file(r1.Raw)}, want: []*x509.Certificate{r1}},
		"PEM":                {fsys: fstest.MapFS{"ca/acme/r.pem": file(pemOf(r1))}, want: []*x509.Certificate{r1}},
		"cer":                {fsys: fstest.MapFS{"ca/acme/r.cer": file(pemOf(r1))}, want: []*x509.Certificate{r1}},
		"extension in caps":  {fsys: fstest.MapFS{"ca/acme/R.PEM": file(pemOf(r1))}, want: []*x509.Certificate{r1}},
		"self-signed leaf":   {fsys: fstest.MapFS{"ca/acme/r.pem": file(pemOf(single))}, want: []*x509.Certificate{single}},
		"bundle and file":    {fsys: fstest.MapFS{"ca/acme/b.pem": file(pemOf(r2, single)), "ca/acme/a.pem": file(pemOf(r1))}, want: []*x509.Certificate{r1, r2, single}},
		"signing authority":  {ref: saAcme, fsys: fstest.MapFS{"signingAuthority/acme/r.pem": file(pemOf(r1))}, want: []*x509.Certificate{r1}},
		"tsa":                {ref: tsAcme, fsys: fstest.MapFS{"tsa/acme/r.pem": file(pemOf(r1))}, want: []*x509.Certificate{r1}},
		"twice in one file":  {fsys: fstest.MapFS{"ca/acme/a.pem": file(pemOf(r1, r1))}, want: []*x509.Certificate{r1}, warnings: []reason.Code{reason.StoreIgnored}},
		"twice in two files": {fsys: fstest.MapFS{"ca/acme/a.pem": file(pemOf(r1)), "ca/acme/b.crt": file(r1.Raw)}, want: []*x509.Certificate{r1}, warnings: []reason.Code{reason.StoreIgnored}},
		"sub-directory":      {fsys: fstest.MapFS{"ca/acme/r.pem": file(pemOf(r1)), "ca/acme/old.pem/r.pem": file(pemOf(r2))}, want: []*x509.Certificate{r1}, warnings: []reason.Code{reason.StoreIgnored}},
		"other extension":    {fsys: fstest.MapFS{"ca/acme/r.pem": file(pemOf(r1)), "ca/acme/README": file(nil), "ca/acme/\x1b.txt": file(nil)}, want: []*x509.Certificate{r1}, warnings: []reason.Code{reason.StoreIgnored, reason.StoreIgnored}},
		"link, no extension": {fsys: fstest.MapFS{"ca/acme/r.pem": file(pemOf(r1)), "ca/acme/..data": link("x")}, want: []*x509.Certificate{r1}, warnings: []reason.Code{reason.StoreIgnored}},

		"file of macOS": {fsys: fstest.MapFS{"ca/acme/r.crt": file(r1.Raw), "ca/acme/._r.crt": file([]byte("x"))}, want: []*x509.Certificate{r1}, warnings: []reason.Code{reason.StoreIgnored}},

		"no stores at all":    {fsys: fstest.MapFS{}, code: reason.StoreNotFound},
		"other store":         {fsys: fstest.MapFS{"ca/acm/r.pem": file(pemOf(r1))}, code: reason.StoreNotFound},
		"other type":          {fsys: fstest.MapFS{"signingAuthority/acme/r.pem": file(pemOf(r1))}, code: reason.StoreNotFound},
		"other case":          {fsys: fstest.MapFS{"ca/Acme/r.pem": file(pemOf(r1))}, code: reason.StoreNotFound},
		"empty":               {fsys: fstest.MapFS{"ca/acme": &fstest.MapFile{Mode: fs.ModeDir | 0o755}}, code: reason.StoreEmpty},
		"nothing that counts": {fsys: fstest.MapFS{"ca/acme/x/r.pem": file(pemOf(r1)), "ca/acme/r.txt": file(pemOf(r1))}, code: reason.StoreEmpty, warnings: []reason.Code{reason.StoreIgnored, reason.StoreIgnored}},
		"no type":             {ref: trust.StoreRef{Name: "acme"}, fsys: fstest.MapFS{"ca/acme/r.pem": file(pemOf(r1))}, code: reason.StoreName},
		"unknown type":        {ref: trust.StoreRef{Type: 9, Name: "acme"}, fsys: fstest.MapFS{}, code: reason.StoreName},
		"path as a name":      {ref: trust.StoreRef{Type: trust.CA, Name: "../ca/acme"}, fsys: fstest.MapFS{"ca/acme/r.pem": file(pemOf(r1))}, code: reason.StoreName},
		"..":                  {ref: trust.StoreRef{Type: trust.CA, Name: ".."}, fsys: fstest.MapFS{"r.pem": file(pemOf(r1))}, code: reason.StoreName},

		"one bad file":     {fsys: fstest.MapFS{"ca/acme/a.pem": file(pemOf(r1)), "ca/acme/b.pem": file([]byte("x"))}, code: reason.StoreCertificate, inError: "ca/acme/b.pem: "},
		"private key":      {fsys: fstest.MapFS{"ca/acme/a.pem": file(pemOf(r1)), "ca/acme/b.pem": file(one.KeyPEM())}, code: reason.StorePrivateKey, inError: "ca/acme/b.pem: "},
		"intermediate":     {fsys: fstest.MapFS{"ca/acme/a.pem": file(pemOf(r1, one.Certs[1]))}, code: reason.StoreAnchor, inError: "ca/acme/a.pem: "},
		"tsa intermediate": {ref: tsAcme, fsys: fstest.MapFS{"tsa/acme/a.pem": file(pemOf(one.Certs[1]))}, code: reason.StoreAnchor, inError: "tsa/acme/a.pem: "},
		"tsa leaf":         {ref: tsAcme, fsys: fstest.MapFS{"tsa/acme/a.pem": file(pemOf(single))}, code: reason.StoreAnchor, inError: "tsa/acme/a.pem: "},
		"linked file":      {fsys: fstest.MapFS{"ca/acme/a.pem": link("../r.pem"), "ca/r.pem": file(pemOf(r1))}, code: reason.StoreNotRegular, inError: "ca/acme/a.pem is a symbolic link"},
		"dangling link":    {fsys: fstest.MapFS{"ca/acme/a.pem": link("nowhere")}, code: reason.StoreNotRegular, inError: "ca/acme/a.pem is a symbolic link"},
		"linked store":     {fsys: fstest.MapFS{"ca/acme": link("other"), "ca/other/r.pem": file(pemOf(r1))}, code: reason.StoreNotRegular, inError: "ca/acme is a symbolic link"},
		"linked type":      {fsys: fstest.MapFS{"ca": link("other"), "other/acme/r.pem": file(pemOf(r1))}, code: reason.StoreNotRegular, inError: "ca is a symbolic link"},
		"store as a file":  {fsys: fstest.MapFS{"ca/acme": file(pemOf(r1))}, code: reason.StoreNotRegular, inError: "ca/acme is a regular file, not a directory"},
		"type as a file":   {fsys: fstest.MapFS{"ca": file(nil)}, code: reason.StoreNotRegular, inError: "ca is a regular file, not a directory"},
		"pipe":             {fsys: fstest.MapFS{"ca/acme/a.pem": special(fs.ModeNamedPipe)}, code: reason.StoreNotRegular, inError: "named pipe"},
		"socket":           {fsys: fstest.MapFS{"ca/acme/a.pem": special(fs.ModeSocket)}, code: reason.StoreNotRegular, inError: "socket"},
		"device":           {fsys: fstest.MapFS{"ca/acme/a.pem": special(fs.ModeDevice)}, code: reason.StoreNotRegular, inError: "device"},
		"character device": {fsys: fstest.MapFS{"ca/acme/a.pem": special(fs.ModeDevice | fs.ModeCharDevice)}, code: reason.StoreNotRegular, inError: "device"},
		"irregular":        {fsys: fstest.MapFS{"ca/acme/a.pem": special(fs.ModeIrregular)}, code: reason.StoreNotRegular, inError: "special file"},
		"large file":       {fsys: fstest.MapFS{"ca/acme/a.pem": file(make([]byte, trust.MaxCertificateFileBytes+1))}, code: reason.StoreTooLarge, inError: "ca/acme/a.pem: "},
		"endless names":    {fsys: manyFiles(trust.MaxStoreEntries + 1), code: reason.StoreTooLarge, inError: "ca/acme has more than"},
		"too many":         {fsys: bundles(pemOf(r1), trust.MaxCertificatesPerStore/trust.MaxCertificatesPerFile, trust.MaxCertificatesPerFile, 1), code: reason.StoreTooLarge, inError: "ca:acme"},

		// attack: FS-03
		"others may write the file":  {fsys: fstest.MapFS{"ca/acme/r.pem": {Data: r1.Raw, Mode: 0o666}}, want: []*x509.Certificate{r1}, warnings: []reason.Code{reason.StoreWritable}},
		"group may write the file":   {fsys: fstest.MapFS{"ca/acme/r.pem": {Data: r1.Raw, Mode: 0o660}}, want: []*x509.Certificate{r1}, warnings: []reason.Code{reason.StoreWritable}},
		"others may write the store": {fsys: fstest.MapFS{"ca/acme": {Mode: fs.ModeDir | 0o777}, "ca/acme/r.pem": file(r1.Raw)}, want: []*x509.Certificate{r1}, warnings: []reason.Code{reason.StoreWritable}},
	} {
		// attack: FS-01
		// attack: FS-02
		// attack: CRT-05
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if runtime.GOOS == "windows" && slices.Contains(tt.warnings, reason.StoreWritable) {
				t.Skip("Windows keeps no such permissions")
			}
			ref := tt.ref
			if ref == (trust.StoreRef{}) {
				ref = caAcme
			}
			certs, warnings, err := trust.NewStores(tt.fsys).Load(ref)
			wantCode(t, errors.Join(warnings...), tt.warnings...)
			if tt.code != "" {
				wantCode(t, err, tt.code)
				if certs != nil || !strings.Contains(err.Error(), tt.inError) {
					t.Errorf("%d certificates, %v", len(certs), err)
				}
				return
			}
			if err != nil || !slices.EqualFunc(certs, tt.want, (*x509.Certificate).Equal) {
				t.Errorf("%d certificates, want %d: %v", len(certs), len(tt.want), err)
			}
		})
	}
}

// manyFiles returns a store of n entries.
func manyFiles(n int) fstest.MapFS {
	fsys := fstest.MapFS{}
	for _, name := range numbered(n, "ca/acme/%d.txt") {
		fsys[name] = file(nil)
	}
	return fsys
}

// bundles returns a store of n files with per certificates each, and one with more.
func bundles(text []byte, n, per, more int) fstest.MapFS {
	fsys := fstest.MapFS{}
	for _, name := range numbered(n, "ca/acme/%d.pem") {
		fsys[name] = file(slices.Repeat(text, per))
	}
	fsys["ca/acme/more.pem"] = file(slices.Repeat(text, more))
	return fsys
}

// TestStoreReportsAllFiles: the user mends a store in one go.
func TestStoreReportsAllFiles(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{}
	for _, name := range numbered(3, "ca/acme/%d.pem") {
		fsys[name] = file([]byte("x"))
	}
	_, _, err := trust.NewStores(fsys).Load(caAcme)
	wantCode(t, err, reason.StoreCertificate, reason.StoreCertificate, reason.StoreCertificate)
	for _, name := range numbered(100, "ca/acme/%d.pem") {
		fsys[name] = file([]byte("x"))
	}
	_, _, err = trust.NewStores(fsys).Load(caAcme)
	if got := len(each(err)); got != trust.MaxProblems+1 {
		t.Errorf("%d problems, want %d and a remark", got, trust.MaxProblems)
	}
}

func TestStoreHints(t *testing.T) {
	t.Parallel()
	_, _, err := trust.NewStores(fstest.MapFS{}).Load(caAcme)
	if got := reason.Hint(err); !strings.Contains(got, "notation cert add --type ca --store acme FILE") {
		t.Errorf("hint %q", got)
	}
	_, _, err = trust.NewStores(fstest.MapFS{"ca/acme/r.crt": {Data: []byte("..data/r.crt"), Mode: fs.ModeSymlink | 0o777}}).Load(caAcme)
	if got := reason.Hint(err); !strings.Contains(got, "subPath") {
		t.Errorf("hint %q", got)
	}
	_, _, err = trust.NewMemoryStores(map[trust.StoreRef][]*x509.Certificate{saAcme: nil}).Load(saAcme)
	wantCode(t, err, reason.StoreEmpty)
	if got := reason.Hint(err); !strings.Contains(got, "notation cert add --type signingAuthority --store acme FILE") {
		t.Errorf("hint %q", got)
	}
}

func TestMemoryStores(t *testing.T) {
	t.Parallel()
	chain := testpki.New(t, testpki.Options{})
	root := chain.Root()
	input := map[trust.StoreRef][]*x509.Certificate{
		caAcme:                         {root, root},
		tsAcme:                         {root, nil},
		saAcme:                         {chain.Certs[1]},
		{Type: trust.CA, Name: "many"}: slices.Repeat([]*x509.Certificate{root}, trust.MaxCertificatesPerStore+1),
		{Type: trust.CA, Name: ".."}:   {root},
	}
	s := trust.NewMemoryStores(input)
	input[caAcme][0] = nil // the stores must not depend on it
	certs, warnings, err := s.Load(caAcme)
	if err != nil || warnings != nil || len(certs) != 1 || certs[0] != root {
		t.Errorf("%v, %v, %v", certs, warnings, err)
	}
	certs[0] = nil
	if anchors, _, _ := s.Anchors(caAcme); len(anchors) != 1 || anchors[0].Certificate != root || anchors[0].File != "" {
		t.Errorf("anchors %v", anchors)
	}
	for ref, code := range map[trust.StoreRef]reason.Code{
		tsAcme:                         reason.StoreAnchor,
		saAcme:                         reason.StoreAnchor,
		{Type: trust.CA, Name: "many"}: reason.StoreTooLarge,
		{Type: trust.CA, Name: ".."}:   reason.StoreName,
		{Type: trust.CA, Name: "none"}: reason.StoreNotFound,
		{}:                             reason.StoreName,
	} {
		certs, _, err := s.Load(ref)
		wantCode(t, err, code)
		if certs != nil {
			t.Errorf("%s: certificates", ref)
		}
	}
	refs, warnings, err := s.Refs()
	if err != nil || warnings != nil || len(refs) != len(input) || refs[0].Type != trust.CA || refs[len(refs)-1] != tsAcme {
		t.Errorf("%v, %v, %v", refs, warnings, err)
	}
}

func TestZeroStores(t *testing.T) {
	t.Parallel()
	root := testpki.New(t, testpki.Options{}).Root()
	for _, s := range []*trust.Stores{nil, {}, trust.NewStores(nil), trust.NewMemoryStores(nil)} {
		_, _, err := s.Load(caAcme)
		wantCode(t, err, reason.StoreNotFound)
		_, found, err := s.Find([]trust.StoreRef{caAcme}, root)
		wantCode(t, err, reason.StoreNotFound)
		if refs, _, err := s.Refs(); found || len(refs) != 0 || err != nil {
			t.Errorf("%v, %v, %v", found, refs, err)
		}
		if got := s.Thumbprints([]trust.StoreRef{caAcme}); len(got) != 0 {
			t.Errorf("thumbprints %v", got)
		}
	}
}

// TestFind: what counts is the certificate, not its name or key.
//
// attack: CRT-05
func TestFind(t *testing.T) {
	t.Parallel()
	chain, twin := testpki.New(t, testpki.Options{}), testpki.New(t, testpki.Options{KeySet: 1}) // two roots of one name
	renewed := testpki.Parse(t, testpki.RawFrom(chain.Root()).Sign(t, chain.Keys[2], x509.ECDSAWithSHA256))
	single, other := testpki.New(t, testpki.Options{Length: 1}), testpki.New(t, testpki.Options{Length: 1, KeySet: 1})
	if string(twin.Root().RawSubject) != string(chain.Root().RawSubject) || renewed.Equal(chain.Root()) {
		t.Fatal("not the roots that this test is about")
	}
	ref := func(name string) trust.StoreRef { return trust.StoreRef{Type: trust.CA, Name: name} }
	s := trust.NewMemoryStores(map[trust.StoreRef][]*x509.Certificate{
		ref("root"):         {chain.Root()},
		ref("twin"):         {twin.Root()},
		ref("both"):         {twin.Root(), chain.Root()},
		ref("single"):       {single.Leaf()},
		ref("intermediate"): {chain.Certs[1]},
	})
	for name, tt := range map[string]struct {
		refs string
		cert *x509.Certificate
		want string
		code []reason.Code
	}{
		"root":                       {"root", chain.Root(), "root", nil},
		"second store":               {"twin root both", chain.Root(), "root", nil},
		"first of two":               {"both root", chain.Root(), "both", nil},
		"same name, other key":       {"twin", chain.Root(), "", nil},
		"same key, other signature":  {"root", renewed, "", nil},
		"self-signed leaf":           {"root single", single.Leaf(), "single", nil},
		"self-signed leaf, its twin": {"root single", other.Leaf(), "", nil},
		"leaf under a root":          {"root", chain.Leaf(), "", nil},
		"no certificate":             {"root", nil, "", nil},
		"not parsed":                 {"root", &x509.Certificate{}, "", nil},
		"no stores":                  {"", chain.Root(), "", nil},
		"missing, then found":        {"missing root", chain.Root(), "root", nil},
		"missing":                    {"twin missing", chain.Root(), "", []reason.Code{reason.StoreNotFound}},
		"broken":                     {"twin missing intermediate", chain.Certs[1], "", []reason.Code{reason.StoreNotFound, reason.StoreAnchor}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var refs []trust.StoreRef
			for name := range strings.FieldsSeq(tt.refs) {
				refs = append(refs, ref(name))
			}
			got, found, err := s.Find(refs, tt.cert)
			wantCode(t, err, tt.code...)
			if found != (tt.want != "") || found && got != ref(tt.want) || !found && got != (trust.StoreRef{}) {
				t.Errorf("%v, %v, want %q", got, found, tt.want)
			}
		})
	}
	if _, _, err := s.Find(slices.Repeat([]trust.StoreRef{ref("missing")}, 1000), chain.Root()); len(each(err)) != trust.MaxProblems+1 {
		t.Errorf("%d problems", len(each(err)))
	}
	sum := func(c *x509.Certificate) string {
		h := sha256.Sum256(c.Raw)
		return hex.EncodeToString(h[:])
	}
	got := s.Thumbprints([]trust.StoreRef{ref("root"), ref("both"), ref("missing"), ref("intermediate")})
	want := map[string]bool{sum(chain.Root()): true, sum(twin.Root()): true}
	if !maps.Equal(got, want) {
		t.Errorf("thumbprints %v, want %v", got, want)
	}
}

func TestRefs(t *testing.T) {
	t.Parallel()
	root := testpki.New(t, testpki.Options{}).Root()
	fsys := fstest.MapFS{
		"tsa/b/r.pem":              file(root.Raw),
		"ca/b/r.pem":               file(root.Raw),
		"ca/a":                     {Mode: fs.ModeDir | 0o755},
		"ca/stray.pem":             file(root.Raw),
		"ca/bad name/r.pem":        file(root.Raw),
		"signingAuthority/c/r.pem": file(root.Raw),
		"other/d/r.pem":            file(root.Raw),
	}
	s := trust.NewStores(fsys)
	refs, warnings, err := s.Refs()
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, errors.Join(warnings...), reason.StoreIgnored, reason.StoreIgnored)
	var got []string
	for _, ref := range refs {
		got = append(got, ref.String())
	}
	if want := []string{"ca:a", "ca:b", "signingAuthority:c", "tsa:b"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if anchors, _, err := s.Anchors(refs[1]); err != nil || len(anchors) != 1 || anchors[0].File != "ca/b/r.pem" {
		t.Errorf("%v, %v", anchors, err)
	}
	fsys["ca"] = &fstest.MapFile{Data: []byte("other"), Mode: fs.ModeSymlink | 0o777}
	_, _, err = trust.NewStores(fstest.MapFS{"ca": fsys["ca"]}).Refs()
	wantCode(t, err, reason.StoreNotRegular)
}

// TestLoadOnce: many readers, one reading, failures included.
func TestLoadOnce(t *testing.T) {
	t.Parallel()
	root := testpki.New(t, testpki.Options{}).Root()
	fsys := &countingFS{MapFS: fstest.MapFS{"ca/acme/r.pem": file(root.Raw), "tsa/acme/r.pem": file(nil)}}
	s := trust.NewStores(fsys)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if certs, _, err := s.Load(caAcme); err != nil || len(certs) != 1 {
				t.Errorf("%d, %v", len(certs), err)
			}
			if _, _, err := s.Load(tsAcme); reason.Of(err) != reason.StoreCertificate {
				t.Error(err)
			}
			if _, found, err := s.Find([]trust.StoreRef{caAcme}, root); !found || err != nil {
				t.Errorf("%v, %v", found, err)
			}
		})
	}
	wg.Wait()
	// Per store: the directory of its type, its own, and one file.
	if got := fsys.opened.Load(); got != 6 {
		t.Errorf("%d files opened, want 6", got)
	}
}

type countingFS struct {
	fstest.MapFS
	opened atomic.Int32
}

func (c *countingFS) Open(name string) (fs.File, error) {
	c.opened.Add(1)
	return c.MapFS.Open(name)
}

// TestFileSystemFaults: whatever fails to be read fails the store.
func TestFileSystemFaults(t *testing.T) {
	t.Parallel()
	root := testpki.New(t, testpki.Options{}).Root()
	base := fstest.MapFS{"ca/acme/r.pem": file(root.Raw)}
	for name, fsys := range map[string]fs.FS{
		"lstat of the type": &faultyFS{MapFS: base, lstat: "ca"},
		"open of the type":  &faultyFS{MapFS: base, open: "ca"},
		"list of the type":  &faultyFS{MapFS: base, read: "ca"},
		"open of the store": &faultyFS{MapFS: base, open: "ca/acme"},
		"list of the store": &faultyFS{MapFS: base, read: "ca/acme"},
		"no list":           &faultyFS{MapFS: base, plain: "ca/acme"},
		"lstat of the file": &faultyFS{MapFS: base, lstat: "ca/acme/r.pem"},
		"open of the file":  &faultyFS{MapFS: base, open: "ca/acme/r.pem"},
		"stat of the file":  &faultyFS{MapFS: base, stat: "ca/acme/r.pem"},
		"read of the file":  &faultyFS{MapFS: base, read: "ca/acme/r.pem"},
	} {
		// attack: FS-04
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certs, _, err := trust.NewStores(fsys).Load(caAcme)
			wantCode(t, err, reason.StoreUnreadable)
			if certs != nil || strings.Count(err.Error(), "ca/acme") > 1 {
				t.Errorf("%d certificates, %v", len(certs), err)
			}
		})
	}
	// attack: FS-01
	t.Run("exchanged for a pipe", func(t *testing.T) {
		t.Parallel()
		_, _, err := trust.NewStores(&faultyFS{MapFS: base, exchange: "ca/acme/r.pem"}).Load(caAcme)
		wantCode(t, err, reason.StoreNotRegular)
	})
	t.Run("listing fails", func(t *testing.T) {
		t.Parallel()
		_, _, err := trust.NewStores(&faultyFS{MapFS: base, lstat: "ca"}).Refs()
		wantCode(t, err, reason.StoreUnreadable)
	})
}

// faultyFS fails at one point, each field naming the file of one operation.
type faultyFS struct {
	fstest.MapFS
	lstat, open, stat, read, plain, exchange string
}

func fault(op, name string) error {
	return &fs.PathError{Op: op, Path: name, Err: errors.New("broken disk")}
}

func (f *faultyFS) Lstat(name string) (fs.FileInfo, error) {
	if name == f.lstat {
		return nil, fault("lstat", name)
	}
	return f.MapFS.Lstat(name)
}

func (f *faultyFS) Open(name string) (fs.File, error) {
	if name == f.open {
		return nil, fault("open", name)
	}
	file, err := f.MapFS.Open(name)
	if err != nil {
		return nil, err
	}
	if name == f.plain {
		return struct{ fs.File }{file}, nil
	}
	return &faultyFile{File: file, name: name, fs: f}, nil
}

type faultyFile struct {
	fs.File
	name string
	fs   *faultyFS
}

func (f *faultyFile) Stat() (fs.FileInfo, error) {
	switch f.name {
	case f.fs.stat:
		return nil, fault("stat", f.name)
	case f.fs.exchange:
		return fstest.MapFS{"p": {Mode: fs.ModeNamedPipe}}.Lstat("p")
	}
	return f.File.Stat()
}

func (f *faultyFile) Read(p []byte) (int, error) {
	if f.name == f.fs.read {
		return 0, fault("read", f.name)
	}
	return f.File.Read(p)
}

func (f *faultyFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if f.name == f.fs.read {
		return nil, fault("readdir", f.name)
	}
	return f.File.(fs.ReadDirFile).ReadDir(n)
}
