package remote

import "testing"

// TestCircle finds every circle soon, and none where there is none.
func TestCircle(t *testing.T) {
	t.Parallel()
	for _, tail := range []int{0, 1, 5, 40} {
		for _, length := range []int{1, 2, 3, 17} {
			var c circle
			steps := 0
			for i := 0; ; i++ {
				value := i
				if i >= tail {
					value = tail + (i-tail)%length
				}
				if steps++; c.closed(uint64(value) + 1) {
					break
				}
				if steps > 3*(tail+length)+4 {
					t.Fatalf("tail %d, circle %d: not found in %d steps", tail, length, steps)
				}
			}
			if steps <= tail+1 {
				t.Errorf("tail %d, circle %d: found after %d steps", tail, length, steps)
			}
		}
	}
	var c circle
	for i := range uint64(100_000) {
		if c.closed(i) {
			t.Fatal(i)
		}
	}
}
