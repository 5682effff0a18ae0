package caddybolt

func (a *App) warnReadable() {}
