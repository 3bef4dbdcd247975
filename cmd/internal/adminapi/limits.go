package adminapi

// LimitsPath is the call that shows (GET) and sets (POST) [Limits].
const LimitsPath = "/api/limits"

// Limits are the ACL and the rate limit. Fields left out of a POST stay as they are, except that a new rate without a burst
// brings the default burst.
type Limits struct {
	Allow    *[]string `json:"allow,omitempty"` // prefixes; empty: everyone
	Rate     *float64  `json:"rate,omitempty"`  // requests per second of one source; 0: no limit
	Burst    *int      `json:"burst,omitempty"`
	PrefixV4 *int      `json:"prefix_v4,omitempty"` // bits of an address that make a source
	PrefixV6 *int      `json:"prefix_v6,omitempty"`
}
