package dn

// Bounds on names that come from outside. The largest names of real
// certificates have some twenty attributes and less than a kibibyte.
const (
	maxTextBytes  = 8 << 10  // printed form given to Parse
	maxDERBytes   = 16 << 10 // encoded name given to FromDER
	maxAttributes = 128      // attributes in one name, over all its RDNs
	maxOIDBytes   = 64       // content octets of one attribute type
	maxQuoted     = 160      // bytes of hostile text repeated in a message
	maxDisplay    = 512      // bytes that Display returns, about

	usualAttributeBytes = 12 // of the shortest usual attribute, such as C=US; sizes a slice
)

// usualName is how many bytes most printed names have room in.
const usualName = 96
