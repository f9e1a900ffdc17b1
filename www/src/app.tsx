import "./styles.css"; document.title="Larder";
