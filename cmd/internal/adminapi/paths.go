// Package adminapi holds the paths and JSON types of the server's admin API, for the server and for the verbs that call it.
package adminapi

// ReloadPath is the call that reloads the library.
const ReloadPath = "/api/reload"

// DevicesReloadPath is the call that reloads device sources.
const DevicesReloadPath = "/api/devices/reload"
