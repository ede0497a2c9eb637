package promote

import (
	"github.com/notaryv2/notation/oci"
)

// Action says how something came to be at the destination.
type Action string

// The actions.
const (
	Copied  Action = "copied"  // it was sent
	Skipped Action = "skipped" // it was there already
	Mounted Action = "mounted" // the registry took it from the source's repository
)

// Item is something that is at the destination.
type Item struct {
	// Descriptor is that of the graph: for a manifest with artifact type and
	// annotations.
	Descriptor oci.Descriptor
	Manifest   bool
	Action     Action
}

// Report says what a [Copy] has done.
type Report struct {
	Root oci.Descriptor // what was copied
	Tag  string         // the tag that names it now; "": none was moved

	// SourceVerified and DestinationVerified say that the functions of
	// [CopyOptions] were called and did not object.
	SourceVerified, DestinationVerified bool

	// Required says what met each [Requirement].
	Required []Met

	// Manifests and Blobs are at the destination, in the order in which they
	// were found to be.
	Manifests, Blobs []Item

	// Warnings are those of the [Graph].
	Warnings []error
}

// Totals are numbers of manifests and blobs, and their bytes together.
type Totals struct {
	Manifests, Blobs int
	Bytes            int64
}

// Totals counts what came to the destination by one of the actions.
func (r *Report) Totals(a Action) Totals {
	var t Totals
	for _, list := range [][]Item{r.Manifests, r.Blobs} {
		for i := range list {
			if list[i].Action == a {
				t.add(list[i])
			}
		}
	}
	return t
}

func (t *Totals) add(i Item) {
	if i.Manifest {
		t.Manifests++
	} else {
		t.Blobs++
	}
	t.Bytes += i.Descriptor.Size
}

// EventKind says what an [Event] is about.
type EventKind int

// The kinds of events. Each manifest and blob is started once and, unless the
// copy fails, finished once.
const (
	Started  EventKind = iota // a manifest or blob is looked at
	Advanced                  // a blob is being sent
	Finished                  // a manifest or blob is at the destination
)

// Event is a step of a [Copy].
type Event struct {
	Kind       EventKind
	Descriptor oci.Descriptor
	// Action says, when finished, how it came there.
	Action Action
	// Done is how much of a blob has been sent, in bytes. It goes back if
	// sending has to begin again.
	Done int64
	// All is the whole graph, and There what of it is at the destination.
	All, There Totals
}

// tell reports an event.
func (c *copier) tell(e Event) {
	if c.options.Progress == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e.All, e.There = c.total, c.there
	c.options.Progress(e)
}

// done records that something is at the destination.
func (c *copier) done(i Item) {
	c.mu.Lock()
	c.there.add(i)
	if i.Manifest {
		c.report.Manifests = append(c.report.Manifests, i)
	} else {
		c.report.Blobs = append(c.report.Blobs, i)
	}
	c.mu.Unlock()
	e := Event{Kind: Finished, Descriptor: i.Descriptor, Action: i.Action}
	if i.Action == Copied {
		e.Done = i.Descriptor.Size
	}
	c.tell(e)
}
