package cli

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// style is how a cell looks on a terminal. Colour never carries meaning alone.
type style string

const (
	plain  style = ""
	good   style = "\x1b[32m"
	bad    style = "\x1b[31m"
	warned style = "\x1b[33m"
	faint  style = "\x1b[2m"
	reset        = "\x1b[0m"
)

// cell is one field of a table.
type cell struct {
	text  string
	style style
}

// page collects the text of a document. All text that is put on it is escaped.
type page struct {
	b     bytes.Buffer
	color bool
}

// colours reports whether text may be coloured: on a terminal that can, unless
// $NO_COLOR is there and not empty (no-color.org).
func (a *app) colours() bool {
	return a.env.Terminal.Shows() && a.env.Getenv("NO_COLOR") == "" && a.env.Getenv("TERM") != "dumb"
}

// line adds a line.
func (p *page) line(format string, args ...any) {
	p.b.WriteString(escape(fmt.Sprintf(format, args...)))
	p.b.WriteByte('\n')
}

// raw adds text as it is, for scripts and files that are shown.
func (p *page) raw(text string) { p.b.WriteString(text) }

// row makes cells without style.
func row(texts ...string) []cell {
	cells := make([]cell, len(texts))
	for i, t := range texts {
		cells[i].text = t
	}
	return cells
}

// table adds rows in aligned columns, each line after indent. A row with one
// cell is a note: it takes no part in the alignment.
func (p *page) table(indent string, rows [][]cell) {
	var widths []int
	for _, r := range rows {
		for len(widths) < len(r) {
			widths = append(widths, 0)
		}
		for i := range r {
			r[i].text = escape(r[i].text)
			if len(r) > 1 {
				widths[i] = max(widths[i], utf8.RuneCountInString(r[i].text))
			}
		}
	}
	for _, r := range rows {
		p.b.WriteString(indent)
		for i, c := range r {
			p.styled(c)
			if i+1 < len(r) {
				p.b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2))
			}
		}
		p.b.WriteByte('\n')
	}
}

func (p *page) styled(c cell) {
	if p.color && c.style != plain {
		p.b.WriteString(string(c.style) + c.text + reset)
		return
	}
	p.b.WriteString(c.text)
}

// styledLine adds a line in one style.
func (p *page) styledLine(s style, format string, args ...any) {
	p.styled(cell{text: escape(fmt.Sprintf(format, args...)), style: s})
	p.b.WriteByte('\n')
}

// node is one line of a tree.
type node struct {
	label    string
	children []node
}

// add appends a child.
func (n *node) add(format string, args ...any) *node {
	n.children = append(n.children, node{label: fmt.Sprintf(format, args...)})
	return &n.children[len(n.children)-1]
}

// tree adds nodes as a tree, each line after indent.
func (p *page) tree(indent string, nodes []node) {
	for i, n := range nodes {
		branch, below := "├── ", "│   "
		if i == len(nodes)-1 {
			branch, below = "└── ", "    "
		}
		p.line("%s%s%s", indent, branch, n.label)
		p.tree(indent+below, n.children)
	}
}
