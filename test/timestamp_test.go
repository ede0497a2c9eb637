package test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/notaryv2/notation/reason"
	"github.com/notaryv2/notation/test/toolbox"
	"github.com/notaryv2/notation/timestamp"
)

// timestampServing is what sigstore's timestamp-server logs once it listens.
var timestampServing = regexp.MustCompile(`Serving timestamp server at (http://127\.0\.0\.1:\d+)`)

// startTimestampServer starts sigstore's timestamp-server with keys of its own
// on a free port and returns its address. It also listens on port 2112 for
// its metrics, so that there can be only one at a time.
func startTimestampServer(t *testing.T, flags ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), toolbox.Need(t, "timestamp-server"), append([]string{
		"serve", "--host", "127.0.0.1", "--port", "0", "--disable-ntp-monitoring", "--timestamp-signer", "memory",
	}, flags...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + cmd.Dir}
	log, output, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = output, output
	err = cmd.Start()
	output.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
		log.Close()
	})
	if err := log.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var text []byte
	for buffer := make([]byte, 4096); ; {
		n, err := log.Read(buffer)
		text = append(text, buffer[:n]...)
		if m := timestampServing.FindSubmatch(text); m != nil {
			go io.Copy(io.Discard, log) // so that the server can go on logging
			return string(m[1]) + "/api/v1/timestamp"
		}
		if err != nil {
			t.Fatalf("timestamp-server does not listen: %v\n%s", err, text)
		}
	}
}

// timestampRoot asks the server for its chain and returns the last certificate.
func timestampRoot(t *testing.T, url string) *x509.Certificate {
	t.Helper()
	response, err := http.Get(url + "/certchain")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var last []byte
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		last = block.Bytes
	}
	root, err := x509.ParseCertificate(last)
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return root
}

// Sigstore's authority stamps for our client, and its tokens verify. It is not
// run in parallel with itself: see startTimestampServer.
func TestSigstoreTimestampServer(t *testing.T) {
	signature := []byte("a primitive signature")
	url := startTimestampServer(t, "--include-chain-in-response")
	root := timestampRoot(t, url)
	client := timestamp.Client{URLs: []string{url}, Roots: []*x509.Certificate{root}}
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		token, err := client.Stamp(t.Context(), signature, hash)
		if err != nil {
			t.Fatalf("%v: %v", hash, err)
		}
		parsed, err := timestamp.Parse(token)
		if err != nil {
			t.Fatal(err)
		}
		verified, err := parsed.Verify(signature, client.Roots)
		if err != nil {
			t.Fatal(err)
		}
		info := verified.Info()
		if info.Hash != hash || info.Policy != "1.3.6.1.4.1.57264.2" || !bytes.Equal(info.Chain[len(info.Chain)-1].Raw, root.Raw) {
			t.Errorf("info %+v", info)
		}
	}
	client.Policy = "1.2.3.4"
	if _, err := client.Stamp(t.Context(), signature, crypto.SHA256); reason.Of(err) == "" {
		t.Errorf("a policy that it does not have: %v", err)
	} else {
		t.Log(err)
	}
}
