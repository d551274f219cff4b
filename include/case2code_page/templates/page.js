// What HTML alone cannot do: copy a text, fetch a slow part after the page is there, and follow Airflow's choice of theme.
"use strict";

const chosen = window.localStorage.getItem("theme");
if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      button.textContent = "Copied";
    } catch {
      // Without HTTPS there is no clipboard: the text is selected, and Ctrl-C copies it.
      window.getSelection().selectAllChildren(source);
      button.textContent = "Press Ctrl-C";
    }
    setTimeout(() => { button.textContent = label; }, 3000);
  });
}

for (const place of document.querySelectorAll("[data-fragment]")) {
  fetch(place.dataset.fragment, { credentials: "same-origin" })
    .then(async (answer) => {
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      place.innerHTML = await answer.text(); // escaped by the server, as every page is
    })
    .catch((error) => { place.textContent = `This could not be read: ${error.message}`; });
}
