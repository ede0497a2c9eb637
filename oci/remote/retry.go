package remote

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// retry says whether and after how long q is to be sent again.
func (r *Repository) retry(ctx context.Context, q request, try int, p *response, err error) (time.Duration, bool) {
	if q.once || try >= maxTries || ctx.Err() != nil {
		return 0, false
	}
	t := r.client.timing
	wait := jitter(t.backOff << (try - 1))
	var refused *tokenRefusal
	switch {
	case errors.As(err, &refused):
		p = &response{status: refused.status, header: refused.header}
	case err != nil:
		return wait, isBrokenConnection(err)
	}
	if !isTransient(p.status) {
		return 0, false
	}
	asked, ok := retryAfter(p.header, time.Now())
	if ok && asked > t.maxRetry {
		return 0, false
	}
	if wait = max(wait, asked); !fits(ctx, wait) {
		return 0, false
	}
	return wait, true
}

// tellBusy passes on that the registry has too much to do.
func (r *Repository) tellBusy(p *response, err error) {
	if r.client.options.Busy == nil {
		return
	}
	if refused, ok := errors.AsType[*tokenRefusal](err); ok {
		p = &response{status: refused.status, header: refused.header}
	}
	if p == nil || p.status != http.StatusTooManyRequests && p.status != http.StatusServiceUnavailable {
		return
	}
	wait, _ := retryAfter(p.header, time.Now())
	r.client.options.Busy(r.name.Registry(), wait)
}

// fits reports whether ctx lasts longer than wait.
func fits(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > wait
}

// isTransient reports whether a status may change by itself: RFC 9110,
// sections 15.5.9 and 15.6, and RFC 6585, section 4.
func isTransient(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	case http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return false
	}
	return status >= 500
}

// isBrokenConnection reports whether a connection was cut that had been open.
// One that could not be opened is an error at once, for a person to see.
func isBrokenConnection(err error) bool {
	var op *net.OpError
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) ||
		errors.As(err, &op) && (op.Op == "read" || op.Op == "write")
}

// retryAfter reads the header Retry-After (RFC 9110, section 10.2.3): seconds
// or a date. It reports false if there is none of use. A number too large for
// a duration is a very long one.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if v == "" {
		return 0, false
	}
	const forever = 1<<63 - 1
	if isDigits(v) {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n > int64(forever/time.Second) {
			return forever, true
		}
		return time.Duration(n) * time.Second, true
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0), true
	}
	return 0, false
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// jitter returns a duration from 75 to 125 percent of d, so that clients which
// were refused together do not return together.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1)
}
