package report

import (
	"bufio"
	"strconv"
	"strings"
)

// literal is HTML that is a part of this program. What is no constant does not
// become one by itself, so text of a record cannot be taken for it.
type literal string

// markup writes HTML: literals, and text in them. Text stands only between tags
// and in attributes in double quotes, for both of which one way to escape it is
// right (HTML standard, section 13.3).
type markup struct{ w *bufio.Writer }

// escaper escapes text for both places.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")

// put writes a literal in which each pair of braces stands for the next of the
// texts.
func (m markup) put(l literal, texts ...string) {
	for _, text := range texts {
		before, after, _ := strings.Cut(string(l), "{}")
		m.w.WriteString(before)
		_, _ = escaper.WriteString(m.w, text) // bufio keeps the error
		l = literal(after)
	}
	m.w.WriteString(string(l))
}

// some is put if there is a text.
func (m markup) some(l literal, text string) {
	if text != "" {
		m.put(l, text)
	}
}

// asset writes the style or the script, which are constants of this program and
// in which nothing may be escaped.
func (m markup) asset(begin literal, text string, end literal) {
	m.put(begin)
	m.w.WriteString(text)
	m.put(end)
}

// table writes a table: its heads, and the rows that a function writes. A head
// that begins with # is of a column of numbers, one with | of a column of charts.
func (m markup) table(id literal, heads []string, rows func()) {
	m.put(`<div class="scroll"><table class="sortable"`)
	m.put(id)
	m.put("><thead><tr>")
	for _, head := range heads {
		switch head[0] {
		case '#':
			m.put(`<th scope="col" class="n">{}</th>`, head[1:])
		case '|':
			m.put(`<th scope="col" class="w" data-nosort><span class="quiet">{}</span></th>`, head[1:])
		default:
			m.put(`<th scope="col">{}</th>`, head)
		}
	}
	m.put("</tr></thead>\n<tbody>")
	rows()
	m.put("</tbody></table></div>")
}

// outcomes writes a bar of outcomes.
func (m markup) outcomes(class literal, text string, bar []slice) {
	m.put(`<svg class="`)
	m.put(class)
	m.put(`" viewBox="0 0 1000 10" preserveAspectRatio="none" role="img" aria-label="{}">`, text)
	for _, s := range bar {
		m.put(`<rect class="{}" x="{}" width="{}" height="10"><title>{} {}, {}</title></rect>`,
			s.Word, strconv.Itoa(s.X), strconv.Itoa(s.Width), s.Count, s.Word, s.Share)
	}
	m.put("</svg>")
}

// share writes a cell with a bar that shows a share.
func (m markup) share(width int) {
	m.put(`<td class="w"><svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">`+
		`<rect class="ground" width="1000" height="10"/><rect class="passed" width="{}" height="10"/></svg></td></tr>`, strconv.Itoa(width))
}

// more writes what a list leaves out.
func (m markup) more(text string) { m.some(`<p class="more">{}</p>`, text) }

// chart writes the columns of a chart.
func (m markup) chart(c *chart) {
	width, height := strconv.Itoa(c.Width), strconv.Itoa(c.Height)
	m.put(`<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">`, width, height, c.Text)
	for _, k := range c.Columns {
		m.put(`<rect class="{}" x="{}" y="{}" width="60" height="{}" rx="2"><title>{} {}, {}</title></rect>`,
			k.Class, strconv.Itoa(k.X), strconv.Itoa(k.Y), strconv.Itoa(k.H), k.Count, k.Word, k.Share)
		m.put(`<text class="value" x="{}" y="{}">{}</text><text x="{}" y="194">{}</text>`,
			strconv.Itoa(k.Middle), strconv.Itoa(k.LabelY), k.Count, strconv.Itoa(k.Middle), k.Word)
	}
	m.put(`<line x1="0" x2="{}" y1="174.5" y2="174.5"/></svg>`+"\n", width)
}
