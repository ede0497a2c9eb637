package revocation

import (
	"testing"

	"github.com/notaryv2/notation/internal/cachemodes"
)

// TestAttacksInEveryCacheMode runs the attack tests with a directory for answers:
// an empty one, and one in which whatever was answered has been kept. As written,
// those that are not about such a directory have none, and ask once.
func TestAttacksInEveryCacheMode(t *testing.T) {
	t.Parallel()
	cachemodes.RunAttacks(t, cachemodes.Off)
}
