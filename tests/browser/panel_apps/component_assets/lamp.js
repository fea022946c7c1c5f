window.lampWasLoaded = true
