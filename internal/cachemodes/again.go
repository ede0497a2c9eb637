package cachemodes

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// NoCache is the flag of the program that has it use no caches.
const NoCache = "--no-cache"

// Exit codes of commands that have refused something.
const (
	rejected  = 1
	undecided = 3
	unsigned  = 4
)

// Result is what came of a command.
type Result struct {
	Code           int
	Stdout, Stderr string
}

// Again runs a command, which has given first, three times more: with the caches as
// they are, which have seen it; with an empty directory for them, dir; and without
// caches. Each time it must give the same, but for
// what no two runs have in common. The error is the first difference. Commands that
// have changed something are not run again, nor are those that verify nothing, or
// that have waited for all of a timeout.
//
// run runs it with a directory for caches, "" for that of the user.
func Again(args []string, first Result, dir string, run func(cache string, args []string) Result) error {
	reads, again := repeatable(args, first.Code)
	if !again {
		return nil
	}
	for _, step := range []struct{ what, cache, flag string }{
		{"again", "", ""},
		{"with empty caches", dir, ""},
		{"without caches", "", NoCache},
	} {
		with := args
		if step.flag != "" {
			with = append([]string{step.flag}, args...)
		}
		got := run(step.cache, with)
		if got.Code != first.Code {
			return fmt.Errorf("notation %s: exit code %d at first and %d %s\n%s\n%s", strings.Join(args, " "), first.Code, got.Code, step.what, got.Stdout, got.Stderr)
		}
		if first.Code == undecided { // nobody promises which of several faults is told
			continue
		}
		debug := slices.Contains(args, "--debug") || slices.Contains(args, "-d") // tells each request
		if was, is := difference(first.Stderr, got.Stderr); was != is && !debug {
			return fmt.Errorf("notation %s: standard error was\n%s\nand %s\n%s", strings.Join(args, " "), was, step.what, is)
		}
		if was, is := difference(first.Stdout, got.Stdout); was != is && reads {
			return fmt.Errorf("notation %s: standard output was\n%s\nand %s\n%s", strings.Join(args, " "), was, step.what, is)
		}
	}
	return nil
}

// repeatable reports whether a command only reads, and whether it can be run again:
// because of that, or because it has refused to write.
func repeatable(args []string, code int) (reads, again bool) {
	var words []string
	for _, a := range args {
		name, _, _ := strings.Cut(a, "=")
		switch {
		case !strings.HasPrefix(a, "-"):
			words = append(words, a)
		case slices.Contains([]string{"--state", "--report", "--no-verify"}, name):
			return false, false
		case name == "--timeout" && code == undecided: // takes all of it
			return false, false
		}
	}
	command := strings.Join(words[:min(len(words), 2)], " ") + " "
	begins := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(command, n+" ") })
	}
	refused := code == rejected || code == undecided || code == unsigned
	reads = begins("verify", "audit", "list", "ls", "inspect", "discover", "tree", "blob verify", "blob inspect", "bundle show")
	return reads, reads || refused && begins("sign", "attach", "attach-signature", "pull", "copy", "bundle", "prune", "blob sign")
}

// difference returns the first line that two texts do not have in common, as it is
// in each. Left out is what no two runs have in common: times, the port at this end
// of a connection, whether the newest answer about revocation was kept or carried
// along, what a registry says in the body of a refusal, which it has for requests
// with a body only, and which comes first of several signatures, or is named of
// those that are as good. An artifact's digest, which stands after "@", is compared.
func difference(a, b string) (ofA, ofB string) {
	differing := regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?UTC|Z)?|127\.0\.0\.1:\d+->| \((cached|carried)\)| \(\\?"[A-Z_]+\\?"\)|\bsha256:[0-9a-f]+`)
	lines := func(s string) []string {
		s = strings.ReplaceAll(s, "@sha256:", "@")
		s = differing.ReplaceAllString(s, "")
		s = strings.NewReplacer("OCSP, OCSP", "OCSP", "CRL, CRL", "CRL").Replace(s) // one kept and one carried along
		all := strings.Split(s, "\n")
		for i := range all {
			// Of JSON, but for the last member, and of trees, as there are further branches.
			all[i] = strings.TrimSuffix(strings.TrimLeft(all[i], "│├└─ "), ",")
		}
		slices.Sort(all)
		return all
	}
	linesA, linesB := lines(a), lines(b)
	for i := range max(len(linesA), len(linesB)) {
		if ofA, ofB = "", ""; i < len(linesA) {
			ofA = linesA[i]
		}
		if i < len(linesB) {
			ofB = linesB[i]
		}
		if ofA != ofB {
			break
		}
	}
	return ofA, ofB
}
