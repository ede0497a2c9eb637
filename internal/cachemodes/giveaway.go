package cachemodes

import (
	"errors"
	"fmt"
	"os"
)

// stranger is a user who is not root.
const stranger = 65534

// GiveAway makes a file another user's. The error is an [errors.ErrUnsupported]
// where the test does not run as root, who alone can do that.
func GiveAway(path string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("only root can give files away: %w", errors.ErrUnsupported)
	}
	return os.Chown(path, stranger, stranger)
}
