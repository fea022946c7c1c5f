document.getElementById("special").textContent = "special.js was here"
