/* The browser's half of thing_models/__init__.py, written as browsers understand it. */
(function (root) {
  "use strict"

  const modules = {
    "thing_models/density_badge": function (require, module, exports) {
      const {UIElement, UIElementView} = require("@bokehjs/models/ui/ui_element")

      class DensityBadgeView extends UIElementView {
        connect_signals() {
          super.connect_signals()
          const {label, density, clicks} = this.model.properties
          this.on_change([label, density, clicks], () => this.show())
        }

        render() {
          super.render()
          this.badge = document.createElement("button")
          this.badge.className = "density-badge"
          this.badge.style.cssText =
            "font: inherit; padding: .6em 1.2em; border: 0; border-radius: 99px; color: white; cursor: pointer"
          this.badge.addEventListener("click", () => { this.model.clicks += 1 })
          this.shadow_el.append(this.badge)
          this.show()
        }

        show() {
          const {label, density, clicks} = this.model
          const verdict = density < 1 ? "floats" : "sinks"
          this.badge.style.backgroundColor = density < 1 ? "#0369a1" : "#c2410c"
          this.badge.textContent = `${label} ${verdict} (${density.toFixed(2)} kg/l, clicked ${clicks}×)`
        }
      }

      DensityBadgeView.__name__ = "DensityBadgeView"

      // BokehJS knows a class by these two names, not by the one that a minifier may change.
      class DensityBadge extends UIElement {}
      DensityBadge.__name__ = "DensityBadge"
      DensityBadge.__module__ = "thing_models"
      DensityBadge.prototype.default_view = DensityBadgeView
      DensityBadge.define(({Str, Float, Int}) => ({
        label: [Str, ""],
        density: [Float, 1],
        clicks: [Int, 0],
      }))

      exports.DensityBadge = DensityBadge
    },

    "thing_models/index": function (require, module, exports) {
      const {register_models} = require("@bokehjs/base")
      const {DensityBadge} = require("thing_models/density_badge")
      register_models({DensityBadge})
      exports.thing_models = {DensityBadge}
    },
  }

  root.Bokeh.register_plugin(modules, "thing_models/index")
})(globalThis)
