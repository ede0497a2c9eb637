package report

import "strings"

// Measures of the charts, in the units of their view boxes.
const (
	barUnits    = 1000
	leastWidth  = 6 // of a part of a bar that is not empty
	chartHeight = 150
	leastHeight = 3
	chartColumn = 100
)

// barOf returns the parts of a bar that shows outcomes; of those that there are
// none of, only if all are wanted. What there is is always visible.
func barOf(c *counts, onlySome bool) []slice {
	total := c.total()
	widths := barWidths(c, total)
	what := meanings()
	var list []slice
	x := 0
	for _, o := range shownOrder() {
		if c[o] > 0 || !onlySome {
			list = append(list, slice{
				Word: o.String(), Meaning: what[o], Count: number(c[o]), Share: percent(c[o], total), X: x, Width: widths[o],
			})
		}
		x += widths[o]
	}
	return list
}

// barWidths divides the bar: to each part its share, at least what can be seen,
// and what is over or missing to the greatest.
func barWidths(c *counts, total int) [outcomes]int {
	var widths [outcomes]int
	if total == 0 {
		return widths
	}
	greatest, sum := outcome(0), 0
	for o := range outcomes {
		if c[o] > 0 {
			widths[o] = max(leastWidth, int(int64(c[o])*barUnits/int64(total)))
		}
		if c[o] > c[greatest] {
			greatest = o
		}
		sum += widths[o]
	}
	widths[greatest] += barUnits - sum
	return widths
}

// share returns the width of a bar, the greatest of which takes all.
func share(n, greatest int) int {
	if n == 0 || greatest == 0 {
		return 0
	}
	return max(leastWidth, int(int64(n)*barUnits/int64(greatest)))
}

// sentence says what a bar shows.
func sentence(c *counts) string {
	var parts []string
	for _, o := range shownOrder() {
		if c[o] > 0 {
			parts = append(parts, number(c[o])+" "+o.String())
		}
	}
	if len(parts) == 0 {
		return "no artifacts"
	}
	return strings.Join(parts, ", ")
}

// chart shows what expires when.
type chart struct {
	Columns       []column
	Width, Height int
	Text          string
}

// column is one bucket. Y is where it begins, from above.
type column struct {
	Word, Count, Share      string
	Class                   string
	X, Middle, Y, H, LabelY int
}

// newChart returns the chart for the counts of the buckets. The last, which is
// rare, is left out if it is empty.
func newChart(counts *[buckets]int) chart {
	greatest, total := 0, 0
	for _, n := range counts {
		greatest = max(greatest, n)
		total += n
	}
	if total == 0 {
		return chart{Text: "no signature"}
	}
	const top, below = 24, 28 // for the number above a column and the word below
	c := chart{Height: top + chartHeight + below}
	var parts []string
	for b, n := range counts {
		if n == 0 && bucket(b) == coveredBy {
			continue
		}
		h := 0
		if n > 0 {
			h = max(leastHeight, int(int64(n)*chartHeight/int64(greatest)))
		}
		x := len(c.Columns) * chartColumn
		word := bucket(b).String()
		c.Columns = append(c.Columns, column{
			Word: word, Count: number(n), Share: percent(n, total), Class: bucketClass(bucket(b)),
			X: x + chartColumn/5, Middle: x + chartColumn/2, Y: top + chartHeight - h, H: h, LabelY: top + chartHeight - h - 7,
		})
		parts = append(parts, number(n)+" "+word)
	}
	c.Width = len(c.Columns) * chartColumn
	c.Text = strings.Join(parts, ", ")
	return c
}

// bucketClass returns the colour of a column: the sooner, the more urgent.
func bucketClass(b bucket) string {
	switch b {
	case expired:
		return "rejected"
	case within30:
		return "unsigned"
	case within90:
		return "soon"
	default:
		return "passed"
	}
}
