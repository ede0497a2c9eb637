package test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/notaryv2/notation/internal/testpki"
	"github.com/notaryv2/notation/test/fixture"
	"github.com/notaryv2/notation/test/registries"
	"github.com/notaryv2/notation/test/toolbox"
	"github.com/rogpeppe/go-internal/testscript"
)

// pkcs11Commands are what scripts about tokens have besides: a store of SoftHSM
// for the script alone, and the plugin.
func pkcs11Commands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"pkcs11-plugin": pkcs11Plugin,
		"start-softhsm": startSoftHSM,
	}
}

// pkcs11Plugin builds the plugin and copies it to a file.
func pkcs11Plugin(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 1, "pkcs11-plugin FILE")
	path, err := toolbox.PKCS11Plugin()
	ts.Check(err)
	data, err := os.ReadFile(path)
	ts.Check(err)
	ts.Check(os.MkdirAll(filepath.Dir(ts.MkAbs(args[0])), 0o755))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o755))
}

// startSoftHSM sets $SOFTHSM2_CONF, $MODULE and $NOTATION_PKCS11_MODULE.
func startSoftHSM(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "start-softhsm")
	t, ok := ts.Value(testKey{}).(testing.TB)
	if !ok {
		ts.Fatalf("the script has no test")
	}
	module, config := toolbox.SoftHSM(t, ts.MkAbs("softhsm"))
	ts.Setenv("SOFTHSM2_CONF", config)
	ts.Setenv("MODULE", module)
	ts.Setenv("NOTATION_PKCS11_MODULE", module)
}

// TestPKCS11 signs an artifact and a file with keys of all kinds on a token, in
// both formats, and verifies them.
func TestPKCS11(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	module, config := toolbox.SoftHSM(t, t.TempDir())
	program, err := toolbox.PKCS11Plugin()
	if err != nil {
		t.Fatal(err)
	}
	h.env = append(h.env, "SOFTHSM2_CONF="+config, "NOTATION_PKCS11_PIN=1234")
	h.run(t, "notation", "plugin", "install", "--file", program)
	h.run(t, "softhsm2-util", "--init-token", "--free", "--label", "release", "--so-pin", "12345678", "--pin", "1234")
	host := registries.New(t, registries.GGCR, registries.Options{}).Host()
	for i, algorithm := range testpki.Algorithms() {
		chain := testpki.New(t, testpki.Options{Name: algorithm + ".example", Algorithm: algorithm, CAAlgorithm: "ec-256"})
		write := func(name string, data []byte) string {
			path := filepath.Join(h.dir, algorithm+name)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}
		key, root := write(".key", chain.KeyPEM()), write(".root.crt", (&testpki.Chain{Certs: chain.Certs[2:]}).CertPEM())
		id := fmt.Sprintf("%02d", i+1)
		h.run(t, "softhsm2-util", "--import", key, "--token", "release", "--label", algorithm, "--id", id, "--pin", "1234")
		for n, cert := range chain.Certs {
			of := id
			if n > 0 {
				of = fmt.Sprintf("f%d%d0", i, n)
			}
			h.run(t, "pkcs11-tool", "--module", module, "--token-label", "release", "--login", "--pin", "1234",
				"--write-object", write(fmt.Sprintf(".%d.der", n), cert.Raw), "--type", "cert", "--id", of)
		}
		h.run(t, "notation", "key", "add", algorithm, "--plugin", "pkcs11", "--id", "pkcs11:token=release;object="+algorithm, "--plugin-config", "module="+module)
		for _, format := range []string{"jws", "cose"} {
			reference := fmt.Sprintf("%s/%s:%s", host, algorithm, format)
			repo, err := fixture.Repository(reference, "", "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := fixture.PushImage(t.Context(), repo, algorithm+format); err != nil {
				t.Fatal(err)
			}
			h.run(t, "notation", "sign", "--key", algorithm, "--signature-format", format, reference)
			h.run(t, "notation", "verify", "--ca-cert", root, reference)
			h.run(t, "notation", "blob", "sign", "--force", "--key", algorithm, "--signature-format", format, root)
			h.run(t, "notation", "blob", "verify", "--ca-cert", root, "--signature", root+"."+format+".sig", root)
		}
	}
}
