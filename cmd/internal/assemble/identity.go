package assemble

import (
	"dcs/cmd/internal/config"
	"dcs/render"
)

// IdentityOf returns how far the server trusts requests that name a device.
func IdentityOf(c *config.Devices) render.Identity {
	bind := map[config.Bind]render.Bind{config.BindOff: render.BindOff, config.BindLog: render.BindLog, config.BindRefuse: render.BindRefuse}
	return render.Identity{Bind: bind[c.Bind], NoMACInName: !c.MACInName}
}
