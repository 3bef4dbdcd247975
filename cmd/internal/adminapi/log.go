package adminapi

// LogPath is the call that shows (GET) and sets (POST) [Log].
const LogPath = "/api/log"

// Log is what the server logs. Fields left out of a POST stay as they are.
type Log struct {
	Level    *string   `json:"level,omitempty"`    // debug, info, warn or error
	Requests *string   `json:"requests,omitempty"` // off, all or 1/N
	Devices  *[]string `json:"devices,omitempty"`
	Held     uint64    `json:"held"` // lines suppressed or dropped since the start; read-only
}
