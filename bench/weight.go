package main

import (
	"debug/buildinfo"
	"debug/elf"
	"debug/gosym"
	"debug/macho"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
)

// A weight is what a contender's program weighs.
type weight struct {
	Program      string `json:"program"`
	Bytes        int64  `json:"bytes"`
	Dependencies int    `json:"dependencies"` // modules beside its own
	// Packages are those of which at least one function is in the program, those of
	// the standard library too; 0: not known.
	Packages int    `json:"packages,omitempty"`
	Go       string `json:"go"` // version that it was built with; "": it is no Go program
}

// weights weighs each program once.
func (w *world) weights() ([]weight, error) {
	var all []weight
	seen := map[string]bool{}
	for _, e := range w.entrants {
		if seen[e.path] {
			continue
		}
		seen[e.path] = true
		info, err := os.Stat(e.path)
		if err != nil {
			return nil, err
		}
		one := weight{Program: e.Program, Bytes: info.Size()}
		// Nothing but a Go program has that information.
		if b, err := buildinfo.ReadFile(e.path); err == nil {
			one.Go, one.Dependencies = b.GoVersion, len(b.Deps)
			one.Packages = packages(e.path)
		}
		all = append(all, one)
	}
	return all, nil
}

// packages counts the packages of a Go program by the names of its functions,
// which it keeps for traces of the stack even if it is stripped. It returns 0 if
// they cannot be read.
func packages(path string) int {
	lines, text := functionTable(path)
	if lines == nil {
		return 0
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(lines, text))
	if err != nil {
		return 0
	}
	names := map[string]bool{}
	for _, f := range table.Funcs {
		// What the linker makes belongs to no package.
		if name := f.PackageName(); name != "" {
			names[name] = true
		}
	}
	return len(names)
}

// functionTable returns the section with the functions, nil if there is none, and
// the address of the code.
func functionTable(path string) (lines []byte, text uint64) {
	if f, err := elf.Open(path); err == nil {
		defer f.Close()
		if table, code := f.Section(".gopclntab"), f.Section(".text"); table != nil && code != nil {
			lines, _ = table.Data() // nil after an error
			text = code.Addr
		}
	} else if f, err := macho.Open(path); err == nil {
		defer f.Close()
		if table, code := f.Section("__gopclntab"), f.Section("__text"); table != nil && code != nil {
			lines, _ = table.Data()
			text = code.Addr
		}
	}
	return lines, text
}

func printWeights(to io.Writer, all []weight) error {
	fmt.Fprint(to, "\nweight: what the programs weigh\n")
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "MB\tmodules\tpackages\t\n")
	for _, one := range all {
		modules := "-"
		if one.Go != "" {
			modules = fmt.Sprint(one.Dependencies)
		}
		fmt.Fprintf(t, "%.1f\t%s\t%s\t  %s\n", float64(one.Bytes)/1e6, modules, orDash("%d", one.Packages), one.Program)
	}
	return t.Flush()
}
