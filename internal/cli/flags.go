package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/notaryv2/notation/reason"
)

// choice is a flag with a fixed set of values.
type choice[T ~string] struct {
	value   *T
	allowed []T
	silent  []T // allowed as well, and not offered
}

func (c *choice[T]) String() string {
	if c.value == nil {
		return ""
	}
	return string(*c.value)
}

func (c *choice[T]) Type() string { return "string" }

func (c *choice[T]) Set(s string) error {
	if !slices.Contains(c.allowed, T(s)) && !slices.Contains(c.silent, T(s)) {
		words := make([]string, len(c.allowed))
		for i, w := range c.allowed {
			words[i] = string(w)
		}
		return fmt.Errorf("it is one of %s", strings.Join(words, ", "))
	}
	*c.value = T(s)
	return nil
}

// timeoutFlag is a duration that is not negative; 0 means no limit.
type timeoutFlag time.Duration

func (t *timeoutFlag) String() string { return shortDuration(time.Duration(*t)) }
func (t *timeoutFlag) Type() string   { return "duration" }
func (t *timeoutFlag) Set(s string) error {
	if s == "0" {
		*t = 0
		return nil
	}
	d, err := parseDuration(s)
	*t = timeoutFlag(d)
	return err
}

// waitFlag is a duration of more than nothing.
type waitFlag time.Duration

func (f *waitFlag) String() string { return shortDuration(time.Duration(*f)) }
func (f *waitFlag) Type() string   { return "duration" }
func (f *waitFlag) Set(s string) error {
	d, err := parseDuration(s)
	if err != nil {
		return err
	}
	*f = waitFlag(d)
	return nil
}

// spanFlag is a duration of whole seconds, at least one.
type spanFlag time.Duration

func (f *spanFlag) String() string {
	if *f == 0 {
		return ""
	}
	return shortDuration(time.Duration(*f))
}
func (f *spanFlag) Type() string { return "duration" }
func (f *spanFlag) Set(s string) error {
	d, err := parseDuration(s)
	if err != nil {
		return err
	}
	if d%time.Second != 0 {
		return fmt.Errorf("it is not a whole number of seconds")
	}
	*f = spanFlag(d)
	return nil
}

// day is that of durations: 24 hours, whatever the calendar says.
const day = 24 * time.Hour

// maxDuration bounds every duration on the command line: a hundred years.
const maxDuration = 100 * 365 * day

// parseDuration reads a positive duration as Go writes it, with days as in 30d
// or 1d12h before the rest.
func parseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("it is not a duration such as 90s, 12h or 30d")
	var d time.Duration
	rest := s
	if days, after, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil {
			return 0, bad
		}
		if n > uint64(maxDuration/day) {
			return 0, fmt.Errorf("it is longer than a hundred years")
		}
		d, rest = time.Duration(n)*day, after
	}
	if rest != "" {
		more, err := time.ParseDuration(rest)
		if err != nil || more < 0 {
			return 0, bad
		}
		if more > maxDuration-d {
			return 0, fmt.Errorf("it is longer than a hundred years")
		}
		d += more
	}
	if d <= 0 {
		return 0, bad
	}
	return d, nil
}

// shortDuration leaves out the zero units at the end: 2m0s is 2m.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// pairs reads the values of a flag that is given as KEY=VALUE, any number of
// times. Values are shown in no error: those for a plugin may be secret.
func pairs(flag string, values []string) (map[string]string, error) {
	if len(values) == 0 {
		return nil, nil
	}
	m := make(map[string]string, len(values))
	for _, v := range values {
		key, value, ok := strings.Cut(v, "=")
		if !ok || key == "" {
			return nil, reason.Errorf(reason.UsageFlag, "flag '--%s' has a value that is not KEY=VALUE", flag).
				WithHint("write it as --%s buildId=101, with quotes around a value that has blanks", flag)
		}
		if _, twice := m[key]; twice {
			return nil, reason.Errorf(reason.UsageFlag, "flag '--%s' has the key %s twice", flag, quote(key)).
				WithHint("give each key once")
		}
		m[key] = value
	}
	return m, nil
}
