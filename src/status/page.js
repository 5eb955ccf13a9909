'use strict';
// The server renders every figure. This asks for the page again and puts its figures in place of the old ones.
const interval = 2000;
const live = document.getElementById('live');
const form = document.getElementById('token');
const secret = document.getElementById('secret');
// The token stays in the memory of this page.
let token = '';
let announced = document.getElementById('figures').dataset.summary;
let timer = 0;

function announce(text) {
  if (text !== announced) live.textContent = text;
  announced = text;
}

function lose(reason) {
  document.body.classList.add('lost');
  announce(reason + ' since ' + document.querySelector('time').textContent + ': these figures are old.');
}

function show(figures) {
  document.body.classList.remove('lost');
  form.hidden = !['missing', 'wrong'].includes(figures.dataset.token);
  if (figures.dataset.token === 'wrong') {
    token = '';
    announce('The signer does not know this token.');
  } else {
    announce(figures.dataset.summary);
  }
  // A selection would be lost.
  if (!getSelection().isCollapsed && !secret.matches(':focus')) return;
  document.title = figures.dataset.title;
  document.getElementById('figures').replaceWith(figures);
}

function refresh() {
  clearTimeout(timer);
  const request = new XMLHttpRequest();
  request.open('GET', location.pathname);
  request.responseType = 'document';
  request.timeout = 10000;
  request.onload = () => {
    const figures = request.response && request.response.getElementById('figures');
    if (figures) show(figures);
    else lose('The signer answers ' + request.status);
  };
  request.onerror = request.ontimeout = () => lose('The signer does not answer');
  request.onloadend = () => { timer = setTimeout(refresh, interval); };
  try {
    if (token) request.setRequestHeader('Authorization', 'Bearer ' + token);
  } catch {
    token = '';
  }
  if (document.hidden) request.onloadend();
  else request.send();
}

form.addEventListener('submit', (event) => {
  event.preventDefault();
  token = secret.value.trim();
  secret.value = '';
  refresh();
});
document.addEventListener('visibilitychange', refresh);
form.hidden = document.getElementById('figures').dataset.token !== 'missing';
timer = setTimeout(refresh, interval);
