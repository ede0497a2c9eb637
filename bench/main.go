// Command bench measures notation beside other tools, and beside what nobody
// can be faster than.
//
// It starts a registry on the loopback interface, puts proxies before it that
// add a round-trip time, fills it with signed artifacts, and runs command lines
// in turn: each contender once per round, in another order each time. For each
// it tells wall and processor time, peak memory, requests, how many of them had
// to wait for one another, and the ratios to the best contender and to the
// limit. Contenders are rows of contenders.json. docs/benchmarks.md says what
// the figures mean.
//
// It judges nothing, and fails only if a command fails.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/notaryv2/notation/test/registries"
)

// config is what the flags say.
type config struct {
	notation   string // path; "": built
	registry   registries.Kind
	rounds     int           // at most, for each row
	budget     time.Duration // for the rounds of each row
	many       int           // artifacts in rows about many
	signatures int           // of an artifact that has many
	fileSize   int64         // bytes
	rtts       []time.Duration
	manyRTT    time.Duration // the longest in rows about many
	only       *regexp.Regexp
	contenders []contender
	dir        string // for everything that is written; "": the usual one
	json       string // file for the figures; "": none
}

// quick is a configuration that only proves that everything works.
func (c config) quick() config {
	c.rounds, c.many, c.signatures, c.fileSize = 1, 2, 3, 1<<20
	c.rtts, c.manyRTT = []time.Duration{0, 5 * time.Millisecond}, 0
	return c
}

func main() {
	os.Exit(start())
}

func start() int {
	c, list, err := parseFlags(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	if list {
		for _, r := range c.rows() {
			fmt.Println(r.id())
		}
		return 0
	}
	// An interrupt ends the command that runs; then everything is cleaned up. So
	// it is when nobody reads on, which the next write tells: to wait for the
	// signal would end the run as soon as a client of the proxy is gone, because
	// a socket sends it too.
	signal.Ignore(syscall.SIGPIPE)
	if c.dir != "" {
		// A registry that is a process of its own keeps its storage there too.
		if err := os.Setenv("TMPDIR", c.dir); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			return 1
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, c, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

// parseFlags reads the command line.
func parseFlags(args []string, errs io.Writer) (c config, list bool, err error) {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&c.notation, "notation", "", "the notation `program` to measure; built where none is named")
	registry := f.String("registry", registries.Distribution.String(), "`kind` of the registry")
	f.IntVar(&c.rounds, "rounds", 21, "rounds of each row, at most")
	f.DurationVar(&c.budget, "budget", 30*time.Second, "`time` after which no further round of a row is begun, but for the first three")
	f.IntVar(&c.many, "n", 100, "artifacts in rows about many")
	f.IntVar(&c.signatures, "signatures", 1000, "signatures of an artifact that has many")
	size := f.Int64("file", 1024, "size in `MiB` of the file")
	rtts := f.String("rtt", "0,20,100", "round-trip times in `ms`")
	manyRTT := f.Int("many-rtt", 20, "the longest round-trip time in `ms` in rows about many")
	only := f.String("run", "", "only rows of which the name matches this `regexp`; -list says the names")
	table := f.String("contenders", "", "`file` with the table of contenders, instead of the one built in")
	f.StringVar(&c.dir, "dir", "", "`directory` for what is written")
	f.StringVar(&c.json, "json", "", "`file` to write the figures to as well, as JSON")
	quick := f.Bool("quick", false, "run everything once with little, to see whether it works")
	f.BoolVar(&list, "list", false, "name the rows and end")
	if err := f.Parse(args); err != nil {
		return c, list, err
	}
	if f.NArg() > 0 {
		return c, list, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	c.fileSize, c.manyRTT = *size<<20, time.Duration(*manyRTT)*time.Millisecond
	if c.registry, err = kindOf(*registry); err != nil {
		return c, list, err
	}
	if c.rtts, err = parseRTTs(*rtts); err != nil {
		return c, list, err
	}
	if c.only, err = regexp.Compile(*only); err != nil {
		return c, list, err
	}
	if c.contenders, err = readContenders(*table); err != nil {
		return c, list, err
	}
	for _, path := range []*string{&c.notation, &c.dir} {
		if *path == "" {
			continue
		}
		if *path, err = filepath.Abs(*path); err != nil {
			return c, list, err
		}
	}
	if *quick {
		c = c.quick()
	}
	return c, list, c.check()
}

// check refuses what is out of bounds.
func (c config) check() error {
	switch {
	case c.rounds < 1 || c.rounds > maxRounds:
		return fmt.Errorf("-rounds is not from 1 to %d", maxRounds)
	case c.many < 1 || c.many > maxReferences:
		return fmt.Errorf("-n is not from 1 to %d", maxReferences)
	case c.signatures < 1 || c.signatures > maxSignatures:
		return fmt.Errorf("-signatures is not from 1 to %d", maxSignatures)
	case c.fileSize < 1 || c.fileSize > maxFileSize:
		return fmt.Errorf("-file is not from 1 to %d", maxFileSize>>20)
	case len(c.rows()) == 0:
		return errors.New("no row has a name that matches -run")
	}
	return nil
}

func parseRTTs(text string) ([]time.Duration, error) {
	var all []time.Duration
	for _, field := range strings.Split(text, ",") {
		ms, err := strconv.ParseUint(strings.TrimSpace(field), 10, 32)
		rtt := time.Duration(ms) * time.Millisecond
		if err != nil || rtt > maxRTT {
			return nil, fmt.Errorf("-rtt: %q is no number of milliseconds from 0 to %d", field, maxRTT.Milliseconds())
		}
		all = append(all, rtt)
	}
	return all, nil
}

// bench measures all rows and prints each as soon as it is done.
func bench(ctx context.Context, c config, out, progress io.Writer) (err error) {
	w, err := newWorld(ctx, c, progress)
	defer func() { err = errors.Join(err, w.end()) }()
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %d processors, %s; registry %v\n", runtime.GOOS+"/"+runtime.GOARCH, runtime.GOMAXPROCS(0), runtime.Version(), c.registry)
	for _, m := range w.missing {
		fmt.Fprintln(out, m)
	}
	all, err := w.weights()
	if err != nil {
		return err
	}
	var results []result
	for _, r := range c.rows() {
		w.say("measure %s", r.id())
		res, err := w.measure(ctx, r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.id(), err)
		}
		if err := res.print(out); err != nil {
			return err
		}
		results = append(results, res)
	}
	if err := printWeights(out, all); err != nil {
		return err
	}
	return errors.Join(writeJSON(c.json, results, all), failures(results))
}

// writeJSON writes the figures for other programs.
func writeJSON(path string, results []result, weights []weight) error {
	if path == "" {
		return nil
	}
	raw, err := json.MarshalIndent(struct {
		Rows    []result `json:"rows"`
		Weights []weight `json:"weights"`
	}{results, weights}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(raw, '\n'), 0o600)
}
