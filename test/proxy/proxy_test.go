package proxy_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/notaryv2/notation/test/proxy"
)

// target is a server that asks for credentials under /private.
func target(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); !ok && strings.HasPrefix(r.URL.Path, "/private") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, r.Host)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func get(t *testing.T, url string, authorized bool) string {
	t.Helper()
	return send(t, http.MethodGet, url, authorized)
}

func send(t *testing.T, method, url string, authorized bool) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if authorized {
		r.SetBasicAuth("a", "b")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Error(err)
	}
	return string(body)
}

func TestDepthCountsRoundTripsOneAfterAnother(t *testing.T) {
	t.Parallel()
	p := proxy.New(t, target(t), proxy.Options{})
	base := "http://" + p.Host()
	if host := get(t, base+"/first", false); host != p.Host() {
		t.Errorf("the server behind saw host %q, want %q", host, p.Host())
	}
	var group sync.WaitGroup
	for _, path := range []string{"/a", "/b", "/c", "/d"} {
		group.Go(func() { get(t, base+path, false) })
	}
	group.Wait()
	if got := p.Depth(); got != 2 {
		t.Errorf("depth %d, want 2: %v", got, p.Exchanges())
	}
	if got := len(p.Exchanges()); got != 5 {
		t.Errorf("%d exchanges, want 5", got)
	}
	if got := p.Duplicates(); got != nil {
		t.Errorf("duplicates %v", got)
	}
	p.Reset()
	if p.Depth() != 0 {
		t.Error("Reset left exchanges behind")
	}
}

func TestDuplicatesLeaveOutChallenges(t *testing.T) {
	t.Parallel()
	p := proxy.New(t, target(t), proxy.Options{})
	base := "http://" + p.Host()
	get(t, base+"/private", false)
	get(t, base+"/private", true)
	if got := p.Duplicates(); got != nil {
		t.Errorf("duplicates %v after a challenge", got)
	}
	get(t, base+"/private", true)
	if got := p.Duplicates(); !slices.Equal(got, []string{"GET /private"}) {
		t.Errorf("duplicates %v", got)
	}
	if p.Depth() != 3 {
		t.Errorf("depth %d, want 3", p.Depth())
	}
}

func TestFaultAnswersInstead(t *testing.T) {
	t.Parallel()
	p := proxy.New(t, target(t), proxy.Options{Fault: func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/bad" {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}})
	get(t, "http://"+p.Host()+"/bad", false)
	get(t, "http://"+p.Host()+"/good", false)
	var status []int
	for _, e := range p.Exchanges() {
		status = append(status, e.Status)
	}
	if !slices.Equal(status, []int{503, 200}) {
		t.Errorf("status %v", status)
	}
}

func TestDuplicatesLeaveOutWhatWasWritten(t *testing.T) {
	t.Parallel()
	p := proxy.New(t, target(t), proxy.Options{})
	base := "http://" + p.Host()
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodGet, http.MethodPost, http.MethodPost} {
		send(t, method, base+"/tag", false)
	}
	if got := p.Duplicates(); got != nil {
		t.Errorf("duplicates %v", got)
	}
	send(t, http.MethodPut, base+"/tag", false)
	send(t, http.MethodPut, base+"/tag", false)
	if got := p.Duplicates(); !slices.Equal(got, []string{"PUT /tag", "PUT /tag"}) {
		t.Errorf("duplicates %v", got)
	}
}

// TestStraightDelays compares with lower bounds only, which hold on a busy
// machine too.
func TestStraightDelays(t *testing.T) {
	t.Parallel()
	const rtt = 30 * time.Millisecond
	p := proxy.New(t, target(t), proxy.Options{Straight: true, RTT: rtt})
	base := "http://" + p.Host()
	transport := &http.Transport{MaxConnsPerHost: 1}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	for _, least := range []time.Duration{2 * rtt, rtt} { // the first one opens the connection
		begin := time.Now()
		resp, err := client.Get(base + "/a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if took := time.Since(begin); took < least {
			t.Errorf("answered after %v, sooner than %v", took, least)
		}
	}
	if got := p.Exchanges(); len(got) != 2 || got[1].Status != http.StatusOK || got[1].Wave != 0 {
		t.Errorf("exchanges %v", got)
	}
	if p.Depth() != 0 {
		t.Errorf("depth %d of a proxy without waves", p.Depth())
	}
}

// TestStraightWithoutDelay is also one whose client goes before the answer.
func TestStraightWithoutDelay(t *testing.T) {
	t.Parallel()
	p, err := proxy.Start(target(t), proxy.Options{Straight: true})
	if err != nil {
		t.Fatal(err)
	}
	if host := get(t, "http://"+p.Host(), false); host != p.Host() {
		t.Errorf("the server behind saw host %q", host)
	}
	p.Close()
	if resp, err := http.Get("http://" + p.Host()); err == nil {
		_ = resp.Body.Close()
		t.Error("a closed proxy answers")
	}
	slow := proxy.New(t, target(t), proxy.Options{Straight: true, RTT: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
	recorder := httptest.NewRecorder()
	slow.ServeHTTP(recorder, r)
	if recorder.Body.Len() != 0 {
		t.Error("an answer for nobody")
	}
}
